package event

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
)

func newCluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func quiet() Observe { return Observe{Log: slog.New(slog.DiscardHandler)} }

func runConsumer(t *testing.T, c *Consumer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the consumer does not stop")
		}
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 30s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	handlers := map[string]Handler{"a.v1": func(context.Context, Event) error { return nil }}
	good := Connection{Brokers: []string{"localhost:9092"}}
	for want, opt := range map[string]ConsumerOptions{
		"group":         {Connection: good, Handlers: handlers},
		"handler":       {Connection: good, Group: "g"},
		"no type":       {Connection: good, Group: "g", Handlers: map[string]Handler{"": nil}},
		"kafka.brokers": {Group: "g", Handlers: handlers},
		"is empty":      {Connection: Connection{Brokers: []string{""}}, Group: "g", Handlers: handlers},
	} {
		if _, err := NewConsumer(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %q", err, want)
		}
	}
	for want, opt := range map[string]KafkaOptions{"source": {Connection: good}, "kafka.brokers": {Source: "s"}} {
		if _, err := NewKafkaPublisher(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %q", err, want)
		}
	}
	if _, err := OpenDeadLetters(Connection{}, "g"); err == nil {
		t.Error("dead letters without a broker")
	}
}

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	c := &Consumer{opt: ConsumerOptions{Backoff: time.Second, MaxBackoff: 5 * time.Second}}
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 5 * time.Second, 1000: 5 * time.Second} {
		if got := c.backoff(attempt); got != want {
			t.Errorf("after attempt %d: %s, want %s", attempt, got, want)
		}
	}
}

// TestConsumerOutlivesTheBroker starts before the broker, loses it, and goes on when it is back.
func TestConsumerOutlivesTheBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port, dir := l.Addr().(*net.TCPAddr).Port, t.TempDir()
	brokers := []string{l.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	c, err := NewConsumer(ConsumerOptions{Connection: Connection{Brokers: brokers}, Observe: quiet(), Group: "g", Handlers: map[string]Handler{
		"a.v1": func(_ context.Context, e Event) error {
			got <- e.Subject()
			return nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	runConsumer(t, c)
	pub, err := NewKafkaPublisher(KafkaOptions{Connection: Connection{Brokers: brokers}, Source: "s", Observe: quiet(), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pub.Close() }()
	for _, key := range []string{"first", "second"} {
		cluster := newCluster(t, kfake.Ports(port), kfake.DataDir(dir))
		if err := pub.Publish(t.Context(), mustNew(t, "a.v1", key, 1)); err != nil {
			t.Fatal(err)
		}
		for arrived := ""; arrived != key; { // the first comes again when its offset was not committed any more
			select {
			case arrived = <-got:
			case <-time.After(30 * time.Second):
				t.Fatalf("%s does not arrive", key)
			}
		}
		cluster.Close()
	}
}

func TestPublishFailsInTimeWithoutABroker(t *testing.T) {
	pub, err := NewKafkaPublisher(KafkaOptions{
		Connection: Connection{Brokers: []string{"127.0.0.1:1"}}, Source: "s", Observe: quiet(), Timeout: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pub.Close() }()
	err = pub.Publish(t.Context(), mustNew(t, "a.v1", "k", 1))
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want a failure that is not the event's", err)
	}
}

func TestNewPartitionsAreConsumed(t *testing.T) {
	brokers := newCluster(t, kfake.SeedTopics(1, "a.v1")).ListenAddrs()
	partitions := make(chan int, 100)
	c, err := NewConsumer(ConsumerOptions{Connection: Connection{Brokers: brokers}, Observe: quiet(), Group: "g", Handlers: map[string]Handler{
		"a.v1": func(context.Context, Event) error { return nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.watchEvery = 10 * time.Millisecond
	c.opt.Handlers["a.v1"] = func(_ context.Context, e Event) error {
		partitions <- len(e.Subject())
		return nil
	}
	runConsumer(t, c)
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Transport: &kafka.Transport{MetadataTTL: 10 * time.Millisecond}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	eventually(t, "a partition is added", func() bool { // the client may not know the brokers yet
		_, err := client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{
			Topics: []kafka.TopicPartitionsConfig{{Name: "a.v1", Count: 2, TopicPartitionAssignments: []kafka.TopicPartitionAssignment{{BrokerIDs: []int32{0}}}}},
		})
		return err == nil
	})
	headers, payload, err := encode(mustNew(t, "a.v1", "k", 1))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new partition takes a record", func() bool {
		answer, err := client.Produce(t.Context(), &kafka.ProduceRequest{
			Topic: "a.v1", Partition: 1, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes(payload), Headers: headers}),
		})
		return err == nil && answer.Error == nil
	})
	select {
	case <-partitions:
	case <-time.After(30 * time.Second):
		t.Error("nobody consumes the new partition")
	}
}

func TestMetricsCountOutcomes(t *testing.T) {
	brokers := newCluster(t).ListenAddrs()
	registry := prometheus.NewRegistry()
	observe := quiet()
	observe.Registry = registry
	handled := make(chan struct{}, 10)
	c, err := NewConsumer(ConsumerOptions{
		Connection: Connection{Brokers: brokers}, Observe: observe, Group: "g", Backoff: time.Millisecond,
		Handlers: map[string]Handler{"a.v1": func(_ context.Context, e Event) error {
			defer func() { handled <- struct{}{} }()
			if e.Subject() == "bad" {
				return io.ErrUnexpectedEOF
			}
			return nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	pub, err := NewKafkaPublisher(KafkaOptions{Connection: Connection{Brokers: brokers}, Source: "s", Observe: observe})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pub.Close() }()
	stop := runConsumer(t, c)
	if err := pub.Publish(t.Context(), mustNew(t, "a.v1", "good", 1), mustNew(t, "a.v1", "bad", 1)); err != nil {
		t.Fatal(err)
	}
	expected := `
		# HELP event_retries_total Attempts to handle an event that failed and were followed by another.
		# TYPE event_retries_total counter
		event_retries_total{type="a.v1"} 2
		# HELP events_consumed_total Events taken from Kafka, by outcome: ok, or dead for dead-lettered.
		# TYPE events_consumed_total counter
		events_consumed_total{outcome="dead",type="a.v1"} 1
		events_consumed_total{outcome="ok",type="a.v1"} 1
		# HELP events_published_total Events handed to Kafka, by outcome: ok, refused, failed.
		# TYPE events_published_total counter
		events_published_total{outcome="ok",type="a.v1"} 2
	`
	eventually(t, "both are counted", func() bool {
		return testutil.GatherAndCompare(registry, strings.NewReader(expected),
			"event_retries_total", "events_consumed_total", "events_published_total") == nil
	})
	if n := testutil.CollectAndCount(c.metrics.lag); n == 0 {
		t.Error("no lag is told")
	}
	stop()
	if n := testutil.CollectAndCount(c.metrics.lag); n != 0 {
		t.Errorf("%d partitions that are held no more tell their lag", n)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	cluster := newCluster(t)
	before := goleak.IgnoreCurrent()
	c, err := NewConsumer(ConsumerOptions{Connection: Connection{Brokers: cluster.ListenAddrs()}, Observe: quiet(), Group: "g", Handlers: map[string]Handler{
		"a.v1": func(context.Context, Event) error { return nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	stop := runConsumer(t, c)
	pub, err := NewKafkaPublisher(KafkaOptions{Connection: Connection{Brokers: cluster.ListenAddrs()}, Source: "s", Observe: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(t.Context(), mustNew(t, "a.v1", "k", 1)); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := pub.Close(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).write"))
}

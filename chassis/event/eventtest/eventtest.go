// Package eventtest gives tests a Kafka inside their own process, a publisher that remembers, and the suite that package
// event passes on every Kafka.
//
//	pub, err := event.NewKafkaPublisher(event.KafkaOptions{
//		Connection: event.Connection{Brokers: eventtest.Kafka(t)}, Source: "orders",
//	})
package eventtest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/trellis-mesh/trellis/chassis/event"
)

// Kafka starts an in-process Kafka (kfake) for the test and gives its brokers' addresses.
func Kafka(t testing.TB) []string {
	t.Helper()
	return NewBroker(t).Brokers()
}

// Broker is an in-process Kafka that can be stopped and started again with its data.
type Broker struct {
	dir     string
	port    int
	cluster *kfake.Cluster
}

// NewBroker starts a Kafka of one broker; it stops when the test ends.
func NewBroker(t testing.TB) *Broker {
	t.Helper()
	b := &Broker{dir: t.TempDir()}
	b.Restart(t)
	t.Cleanup(b.Kill)
	return b
}

// Brokers gives the addresses that a client is configured with.
func (b *Broker) Brokers() []string {
	return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port))}
}

// Kill stops the broker and closes its clients' connections.
func (b *Broker) Kill() {
	b.cluster.Close()
}

// Restart starts a stopped broker at the same address.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(b.port), kfake.DataDir(b.dir),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	b.cluster = cluster
	_, port, err := net.SplitHostPort(cluster.ListenAddrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if b.port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
}

// Recorder is a publisher that remembers the events. The zero value is ready; it is safe for concurrent use.
type Recorder struct {
	// Fail, when set, is asked about each event before it is remembered: an error fails that event, and those behind it
	// that have its key are held back, as every Publisher does.
	Fail func(event.Event) error

	mu     sync.Mutex
	events []event.Event
}

var _ event.Publisher = (*Recorder)(nil)

// Publish remembers the events.
func (r *Recorder) Publish(ctx context.Context, events ...event.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	errs, failed := make([]error, len(events)), map[string]bool{}
	for i, e := range events {
		switch key := e.Subject(); {
		case failed[key]:
			errs[i] = event.ErrHeld
		case r.Fail != nil:
			errs[i] = r.Fail(e)
			failed[key] = errs[i] != nil && key != ""
		}
		if errs[i] == nil {
			r.events = append(r.events, event.Inject(ctx, e))
		}
	}
	if errors.Join(errs...) != nil {
		return &event.PublishError{Errs: errs}
	}
	return nil
}

// Events gives what was published so far, in order.
func (r *Recorder) Events() []event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event.Event(nil), r.events...)
}

package eventtest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/propagation"

	"github.com/trellis-mesh/trellis/chassis/event"
)

// lab is what one test of the suite works with: topics and groups that no other test has.
type lab struct {
	*testing.T
	brokers []string
	suffix  string
	pub     *event.KafkaPublisher
}

func newLab(t *testing.T, brokers []string) *lab {
	t.Helper()
	l := &lab{T: t, brokers: brokers, suffix: uuid.NewString()[:8]}
	pub, err := event.NewKafkaPublisher(event.KafkaOptions{
		Connection: l.connection(), Source: "eventtest", Observe: event.Observe{Propagator: propagation.TraceContext{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pub.Close() })
	l.pub = pub
	return l
}

func (l *lab) connection() event.Connection { return event.Connection{Brokers: l.brokers} }

// typ gives an event type of this test alone.
func (l *lab) typ(name string) string { return name + "." + l.suffix + ".v1" }

func (l *lab) group(name string) string { return name + "-" + l.suffix }

// payload is the data of the suite's events: N counts within a key.
type payload struct {
	N    int    `json:"n"`
	Text string `json:"text,omitempty"`
}

func (l *lab) event(typ, key string, n int) event.Event {
	l.Helper()
	e, err := event.New(typ, key, payload{N: n})
	if err != nil {
		l.Fatal(err)
	}
	return e
}

func (l *lab) publish(events ...event.Event) {
	l.Helper()
	if err := l.pub.Publish(l.Context(), events...); err != nil {
		l.Fatal(err)
	}
}

// raw writes a record with the key "k", as anybody may.
func (l *lab) raw(topic string, value []byte, headers ...kafka.Header) {
	l.Helper()
	l.write(kafka.Message{Topic: topic, Key: []byte("k"), Value: value, Headers: headers})
}

func (l *lab) write(m kafka.Message) {
	l.Helper()
	w := &kafka.Writer{Addr: kafka.TCP(l.brokers...), RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, BatchBytes: 10 << 20,
		Transport: &kafka.Transport{}}
	defer func() {
		w.Transport.(*kafka.Transport).CloseIdleConnections()
		_ = w.Close()
	}()
	if err := w.WriteMessages(l.Context(), m); err != nil {
		l.Fatal(err)
	}
}

// consumer is a running consumer.
type consumer struct {
	l    *lab
	stop context.CancelFunc
	done chan struct{}
}

// consume runs a consumer until the test ends or it is stopped.
func (l *lab) consume(group string, handlers map[string]event.Handler, change ...func(*event.ConsumerOptions)) *consumer {
	l.Helper()
	opt := event.ConsumerOptions{
		Connection: l.connection(), Group: group, Handlers: handlers, Backoff: time.Millisecond,
		Observe: event.Observe{Propagator: propagation.TraceContext{}, Log: slog.New(slog.DiscardHandler)},
	}
	for _, c := range change {
		c(&opt)
	}
	c, err := event.NewConsumer(opt)
	if err != nil {
		l.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	running := &consumer{l: l, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(running.done)
		if err := c.Run(ctx); err != nil {
			l.Error(err)
		}
	}()
	l.Cleanup(running.end)
	return running
}

// end stops the consumer and waits until it has left its group.
func (c *consumer) end() {
	c.l.Helper()
	c.stop()
	select {
	case <-c.done:
	case <-time.After(patience):
		c.l.Error("the consumer does not stop")
	}
}

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

func (l *lab) eventually(what string, holds func() bool) {
	l.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-deadline:
			l.Fatalf("not after %s: %s", patience, what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// sink is a handler that remembers.
type sink struct {
	mu   sync.Mutex
	seen []event.Event
}

func (s *sink) handle(_ context.Context, e event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, e)
	return nil
}

func (s *sink) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// byKey gives the counts of each key's events, in the order they came, like "1 2 3".
func (s *sink) byKey(t testing.TB) map[string]string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := map[string][]string{}
	for _, e := range s.seen {
		p, err := event.Decode[payload](e)
		if err != nil {
			t.Fatal(err)
		}
		got[e.Subject()] = append(got[e.Subject()], fmt.Sprint(p.N))
	}
	joined := map[string]string{}
	for key, ns := range got {
		joined[key] = strings.Join(ns, " ")
	}
	return joined
}

// deadLetters waits for n dead letters of the group and gives them.
func (l *lab) deadLetters(group string, n int) []event.DeadLetter {
	l.Helper()
	queue, err := event.OpenDeadLetters(l.connection(), group)
	if err != nil {
		l.Fatal(err)
	}
	defer func() { _ = queue.Close() }()
	var letters []event.DeadLetter
	l.eventually(fmt.Sprintf("%s has %d dead letters", group, n), func() bool {
		if letters, err = queue.List(l.Context(), 0); err != nil {
			l.Log(err)
		}
		return len(letters) >= n
	})
	if len(letters) > n {
		l.Errorf("%s has %d dead letters, want %d", group, len(letters), n)
	}
	return letters
}

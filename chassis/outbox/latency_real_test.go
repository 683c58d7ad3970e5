//go:build real

package outbox_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/test/real"
)

// budget is the promise for the median from a commit to the event's handler, on PostgreSQL and Kafka.
const budget = 25 * time.Millisecond

// BenchmarkCommitToConsumed measures one event at a time on an otherwise idle system. The servers are as durable as in
// production.
func BenchmarkCommitToConsumed(b *testing.B) {
	const benchType = "order.measured.v1"
	db := openURL(b, real.NewPostgres(b).Database(b))
	connection := event.Connection{Brokers: real.Kafka(b).Brokers()}
	pub, err := event.NewKafkaPublisher(event.KafkaOptions{Connection: connection, Source: "orders"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pub.Close() })
	box := newOutbox(b, db, pub, func(o *outbox.Options) { o.Poll = time.Second })
	run(b, box)
	arrived := make(chan time.Time, 1)
	consumer, err := event.NewConsumer(event.ConsumerOptions{
		Connection: connection, Group: "measure", Observe: event.Observe{Log: slog.New(slog.DiscardHandler)},
		Handlers: map[string]event.Handler{benchType: func(context.Context, event.Event) error {
			arrived <- time.Now()
			return nil
		}},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- consumer.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	once := func() time.Duration {
		e, err := event.New(benchType, "k", payload{})
		if err != nil {
			b.Fatal(err)
		}
		if err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return box.Append(ctx, tx, e) }); err != nil {
			b.Fatal(err)
		}
		committed := time.Now()
		return (<-arrived).Sub(committed)
	}
	for range 20 { // connections, topics, plans
		once()
	}
	var all []time.Duration
	for b.Loop() {
		all = append(all, once())
	}
	slices.Sort(all)
	p50, p95 := all[len(all)/2], all[len(all)*95/100]
	b.ReportMetric(float64(p50.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(p95.Microseconds())/1000, "p95-ms")
	b.ReportMetric(0, "ns/op")
	if p50 > budget {
		b.Errorf("the median is %s, the budget %s", p50, budget)
	}
}

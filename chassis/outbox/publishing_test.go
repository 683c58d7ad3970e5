package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func neverPoll(o *outbox.Options) { o.Poll = time.Hour }

func commitPublishes(t *testing.T, db *database.DB) {
	pub := &eventtest.Recorder{}
	box := newOutbox(t, db, pub, neverPoll)
	run(t, box)
	for n := range 3 { // the first may meet the relay before it sleeps, the others wake it
		commit(t, db, box, newEvent(t, "k", n))
		eventually(t, "it is published", func() bool { return len(pub.Events()) == n+1 })
	}
	want(t, pub, "k", "0 1 2")
}

func rollbackPublishesNothing(t *testing.T, db *database.DB) {
	pub := &eventtest.Recorder{}
	box := newOutbox(t, db, pub)
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if err := box.Append(ctx, tx, newEvent(t, "k", 0)); err != nil {
			return err
		}
		return errMade
	})
	if !errors.Is(err, errMade) {
		t.Fatalf("error %v, want the one that was made: the event is no part of the transaction", err)
	}
	flush(t, box)
	want(t, pub, "k", "")
}

func pollingFinds(t *testing.T, db *database.DB) {
	pub := &eventtest.Recorder{}
	box := newOutbox(t, db, pub)
	run(t, newOutbox(t, db, pub)) // another process's relay: no commit here wakes it
	commit(t, db, box, newEvent(t, "k", 0))
	eventually(t, "it is published", func() bool { return len(pub.Events()) == 1 })
}

// lateCommit has a transaction that appended first commit last. On SQLite, with its one writer, there is no such thing.
func lateCommit(t *testing.T, db *database.DB) {
	if db.Kind() == database.SQLite {
		return
	}
	pub := &eventtest.Recorder{}
	box := newOutbox(t, db, pub)
	slow, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Append(t.Context(), slow, newEvent(t, "slow", 0)); err != nil {
		t.Fatal(err)
	}
	commit(t, db, box, newEvent(t, "quick", 0))
	flush(t, box)
	want(t, pub, "quick", "0")
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	flush(t, box)
	want(t, pub, "slow", "0")
}

func severalRelays(t *testing.T, db *database.DB) {
	const keys, each = 12, 25
	pub := &eventtest.Recorder{}
	box := newOutbox(t, db, pub)
	for range 3 {
		run(t, newOutbox(t, db, pub, func(o *outbox.Options) { o.Batch, o.Poll = 7, time.Millisecond }))
	}
	var group sync.WaitGroup
	for k := range keys {
		group.Go(func() {
			for n := range each {
				commit(t, db, box, newEvent(t, fmt.Sprint("k", k), n))
			}
		})
	}
	group.Wait()
	eventually(t, "all are published", func() bool { return len(pub.Events()) >= keys*each })
	for k := range keys {
		want(t, pub, fmt.Sprint("k", k), strings.Join(strings.Fields(strings.Trim(fmt.Sprint(upTo(each)), "[]")), " "))
	}
}

func upTo(n int) []int {
	ns := make([]int, n)
	for i := range ns {
		ns[i] = i
	}
	return ns
}

func batchLimit(t *testing.T, db *database.DB) {
	var sizes []int
	box := newOutbox(t, db, publisherFunc(func(_ context.Context, events ...event.Event) error {
		sizes = append(sizes, len(events))
		return nil
	}))
	events := make([]event.Event, 250)
	for i := range events {
		events[i] = newEvent(t, "k", i)
	}
	commit(t, db, box, events...)
	flush(t, box)
	if got := fmt.Sprint(sizes); got != "[100 100 50]" {
		t.Errorf("batches of %s events", got)
	}
}

// hangingRelay has one relay hang in its publisher: the key it is at must wait, all others must not. On SQLite one relay
// works at a time, so there the others wait until the first gives up.
func hangingRelay(t *testing.T, db *database.DB) {
	entered := make(chan struct{}, 1)
	hung := newOutbox(t, db, publisherFunc(func(ctx context.Context, _ ...event.Event) error {
		entered <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}), func(o *outbox.Options) { o.Timeout = 300 * time.Millisecond })
	commit(t, db, hung, newEvent(t, "hung", 0))
	done := make(chan error, 1)
	go func() { done <- hung.Flush(context.WithoutCancel(t.Context())) }()
	<-entered

	pub := &eventtest.Recorder{}
	box := newOutbox(t, db, pub)
	commit(t, db, box, newEvent(t, "hung", 1), newEvent(t, "a", 0), newEvent(t, "b", 0), newEvent(t, "c", 0))
	if db.Kind() == database.Postgres {
		flush(t, box)
		for _, key := range []string{"a", "b", "c"} {
			want(t, pub, key, "0")
		}
		want(t, pub, "hung", "")
	}
	if err := <-done; err == nil {
		t.Error("the hanging relay ended without an error")
	}
	flush(t, box)
	want(t, pub, "hung", "0 1")
}

func sentAgain(t *testing.T, db *database.DB) {
	rec := &eventtest.Recorder{}
	lose := &switchable{err: errMade}
	box := newOutbox(t, db, publisherFunc(func(ctx context.Context, events ...event.Event) error {
		if err := rec.Publish(ctx, events...); err != nil {
			return err
		}
		return lose.get() // the acknowledgement
	}))
	commit(t, db, box, newEvent(t, "k", 0), newEvent(t, "k", 1))
	if err := box.Flush(t.Context()); err == nil {
		t.Error("the lost acknowledgement went unnoticed")
	}
	lose.set(nil)
	flush(t, box)
	want(t, rec, "k", "0 1 0 1")
}

func stopFlushes(t *testing.T, db *database.DB) {
	rec := &eventtest.Recorder{}
	away := &switchable{err: errMade}
	rec.Fail = func(event.Event) error { return away.get() }
	box := newOutbox(t, db, rec)
	stop := run(t, box)
	commit(t, db, box, newEvent(t, "k", 0))
	away.set(nil)
	commit(t, db, box, newEvent(t, "k", 1))
	stop()
	want(t, rec, "k", "0 1")
}

func stopBounded(t *testing.T, db *database.DB) {
	entered := make(chan struct{}, 10)
	box := newOutbox(t, db, publisherFunc(func(ctx context.Context, _ ...event.Event) error {
		entered <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}), func(o *outbox.Options) { o.Timeout, o.FlushTimeout = time.Hour, 50*time.Millisecond })
	stop := run(t, box)
	commit(t, db, box, newEvent(t, "k", 0))
	<-entered
	stop() // the test's own time limit is the assertion
}

func retention(t *testing.T, db *database.DB) {
	rec := &eventtest.Recorder{}
	day := 0
	box := newOutbox(t, db, rec, func(o *outbox.Options) {
		o.Now = func() time.Time { return time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC) }
	})
	commit(t, db, box, newEvent(t, "old", 0))
	flush(t, box)
	day = 2
	commit(t, db, box, newEvent(t, "young", 0))
	flush(t, box)
	commit(t, db, box, newEvent(t, "pending", 0))
	if err := outbox.Clean(t.Context(), box); err != nil {
		t.Fatal(err)
	}
	var keys []string
	if err := db.NewSelect().Table("outbox").Column("key").OrderExpr("id").Scan(t.Context(), &keys); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(keys, " "); got != "young pending" {
		t.Errorf("kept: %s", got)
	}
}

func tracesGoOn(t *testing.T, db *database.DB) {
	rec := &eventtest.Recorder{}
	box := newOutbox(t, db, rec)
	ctx, span := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "request")
	defer span.End()
	ctx = telemetry.WithIDs(ctx, telemetry.IDs{Request: "req-1", Correlation: "cor-1"})
	err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return box.Append(ctx, tx, newEvent(t, "k", 0)) })
	if err != nil {
		t.Fatal(err)
	}
	flush(t, box) // in another context
	if len(rec.Events()) != 1 {
		t.Fatalf("%d events", len(rec.Events()))
	}
	later := event.Extract(context.Background(), rec.Events()[0])
	if got := trace.SpanContextFromContext(later); got.TraceID() != span.SpanContext().TraceID() || got.SpanID() != span.SpanContext().SpanID() {
		t.Errorf("the event continues span %s of trace %s", got.SpanID(), got.TraceID())
	}
	if got := telemetry.ContextIDs(later); got != (telemetry.IDs{Request: "req-1", Correlation: "cor-1"}) {
		t.Errorf("the event's ids are %+v", got)
	}
}

func invalidAppend(t *testing.T, db *database.DB) {
	box := newOutbox(t, db, &eventtest.Recorder{})
	invalid := newEvent(t, "k", 0)
	invalid.SetID("")
	if err := box.Append(t.Context(), db, invalid); err == nil {
		t.Error("an event without an id was stored")
	}
}

package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
)

func unreachable(t *testing.T, db *database.DB) {
	rec := &eventtest.Recorder{}
	away := &switchable{err: errMade}
	rec.Fail = func(event.Event) error { return away.get() }
	box := newOutbox(t, db, rec)
	commit(t, db, box, newEvent(t, "k", 0), newEvent(t, "k", 1), newEvent(t, "other", 0))
	for range 10 { // more than Attempts
		if err := box.Flush(t.Context()); !errors.Is(err, errMade) {
			t.Fatalf("got %v, want the publisher's error", err)
		}
	}
	var noted []string
	if err := db.NewSelect().Table("outbox").Column("last_error").Where("retry_count = 0 AND dead_at IS NULL AND last_error <> ''").Scan(t.Context(), &noted); err != nil {
		t.Fatal(err)
	}
	if len(noted) != 1 || !strings.Contains(noted[0], errMade.Error()) {
		t.Errorf("noted in the table: %q", noted)
	}
	away.set(nil)
	flush(t, box)
	want(t, rec, "k", "0 1")
	want(t, rec, "other", "0")
}

func partlyUnreachable(t *testing.T, db *database.DB) {
	rec := &eventtest.Recorder{}
	away := &switchable{err: errMade}
	rec.Fail = func(e event.Event) error {
		if strings.HasPrefix(e.Subject(), "away") {
			return away.get()
		}
		return nil
	}
	box := newOutbox(t, db, rec, func(o *outbox.Options) { o.Batch = 4 })
	for n := range 6 { // more than a batch of what cannot go stands first
		commit(t, db, box, newEvent(t, fmt.Sprint("away", n), 0))
	}
	commit(t, db, box, newEvent(t, "here", 0))
	run(t, box)
	eventually(t, "the other key is published", func() bool { return sequences(t, rec.Events())["here"] == "0" })
	away.set(nil)
	eventually(t, "the rest follows", func() bool { return len(rec.Events()) == 7 })
}

// refusing gives a recorder that refuses the event 0 of key "bad" while err is set.
func refusing(t *testing.T, err *switchable) *eventtest.Recorder {
	return &eventtest.Recorder{Fail: func(e event.Event) error {
		if p, decodeErr := event.Decode[payload](e); decodeErr != nil || e.Subject() != "bad" || p.N != 0 {
			return decodeErr
		}
		return err.get()
	}}
}

var errRefused = fmt.Errorf("%w: it is too large", event.ErrRefused)

// makeDead gives an outbox in which the first of key "bad" is dead and two wait behind it.
func makeDead(t *testing.T, db *database.DB) (*outbox.Outbox, *eventtest.Recorder, *switchable) {
	t.Helper()
	refusal := &switchable{err: errRefused}
	rec := refusing(t, refusal)
	box := newOutbox(t, db, rec)
	commit(t, db, box, newEvent(t, "bad", 0), newEvent(t, "bad", 1), newEvent(t, "good", 0))
	eventually(t, "the event is dead", func() bool {
		flush(t, box)
		dead, err := box.List(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(dead) == 1
	})
	commit(t, db, box, newEvent(t, "bad", 2))
	flush(t, box)
	return box, rec, refusal
}

func refusedEvent(t *testing.T, db *database.DB) {
	box, rec, _ := makeDead(t, db)
	want(t, rec, "bad", "")
	want(t, rec, "good", "0")
	dead, err := box.List(t.Context(), 10)
	if err != nil || len(dead) != 1 {
		t.Fatalf("%d dead, %v", len(dead), err)
	}
	d := dead[0]
	if d.Key != "bad" || d.RetryCount != 3 || !strings.Contains(d.LastError, "too large") || d.Waiting != 2 || d.Event.Type() != typ || d.DeadAt.IsZero() {
		t.Errorf("dead: %+v", d)
	}
}

func redriven(t *testing.T, db *database.DB) {
	box, rec, refusal := makeDead(t, db)
	refusal.set(nil)
	if n, err := box.Redrive(t.Context()); n != 1 || err != nil {
		t.Fatalf("redrove %d, %v", n, err)
	}
	flush(t, box)
	want(t, rec, "bad", "0 1 2")
}

func discarded(t *testing.T, db *database.DB) {
	box, rec, _ := makeDead(t, db)
	dead, err := box.List(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := box.Discard(t.Context(), dead[0].ID, dead[0].ID+1); n != 1 || err != nil { // the next one is not dead
		t.Fatalf("discarded %d, %v", n, err)
	}
	if n, err := box.Discard(t.Context()); n != 0 || err != nil {
		t.Fatalf("discarded %d of nothing, %v", n, err)
	}
	flush(t, box)
	want(t, rec, "bad", "1 2")
}

func unreadable(t *testing.T, db *database.DB) {
	rec := &eventtest.Recorder{}
	box := newOutbox(t, db, rec)
	commit(t, db, box, newEvent(t, "spoilt", 0), newEvent(t, "spoilt", 1), newEvent(t, "good", 0))
	if _, err := db.ExecContext(t.Context(), "UPDATE outbox SET event = '{' WHERE id = (SELECT MIN(id) FROM outbox)"); err != nil {
		t.Fatal(err)
	}
	run(t, box)
	eventually(t, "it is dead", func() bool {
		dead, err := box.List(t.Context(), 0)
		return err == nil && len(dead) == 1 && strings.Contains(dead[0].LastError, "unreadable")
	})
	want(t, rec, "good", "0")
	want(t, rec, "spoilt", "")
}

func metricsTell(t *testing.T, db *database.DB) {
	registry := prometheus.NewRegistry()
	refusal := &switchable{err: errRefused}
	var mu sync.Mutex
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	box := newOutbox(t, db, refusing(t, refusal), func(o *outbox.Options) {
		o.Registry, o.Attempts = registry, 1
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	})
	commit(t, db, box, newEvent(t, "bad", 0), newEvent(t, "bad", 1), newEvent(t, "good", 0))
	flush(t, box)
	mu.Lock()
	now = now.Add(90 * time.Second)
	mu.Unlock()
	if err := outbox.Measure(t.Context(), box); err != nil {
		t.Fatal(err)
	}
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
		# HELP outbox_dead Events that were refused too often; each holds up its key until it is redriven or discarded.
		# TYPE outbox_dead gauge
		outbox_dead 1
		# HELP outbox_oldest_age_seconds Age of the oldest pending event that is not dead; 0 when there is none.
		# TYPE outbox_oldest_age_seconds gauge
		outbox_oldest_age_seconds 90
		# HELP outbox_pending Events that are stored and not yet published, without dead ones.
		# TYPE outbox_pending gauge
		outbox_pending 1
		# HELP outbox_published_total Events published by this process's relay.
		# TYPE outbox_published_total counter
		outbox_published_total 1
	`), "outbox_dead", "outbox_oldest_age_seconds", "outbox_pending", "outbox_published_total")
	if err != nil {
		t.Error(err)
	}
}

// effects is a table in which a handler's effects are counted.
func effects(t *testing.T, db *database.DB) (handle func(context.Context, bun.Tx) error, count func() int64) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE effects (n INT)"); err != nil {
		t.Fatal(err)
	}
	handle = func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO effects VALUES (1)")
		return err
	}
	return handle, func() int64 {
		t.Helper()
		n, err := db.NewSelect().Table("effects").Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func onceOnly(t *testing.T, db *database.DB) {
	handle, count := effects(t, db)
	inbox := outbox.NewInbox(db, "shipping")
	e := newEvent(t, "k", 0)
	for range 3 {
		if err := inbox.Once(t.Context(), e, handle); err != nil {
			t.Fatal(err)
		}
	}
	if count() != 1 {
		t.Errorf("%d effects", count())
	}
	other := e.Clone()
	other.SetSource("elsewhere") // ids are unique within a source
	if err := inbox.Once(t.Context(), other, handle); err != nil || count() != 2 {
		t.Errorf("%d effects, %v", count(), err)
	}
}

func onceAgain(t *testing.T, db *database.DB) {
	handle, count := effects(t, db)
	inbox := outbox.NewInbox(db, "shipping")
	e := newEvent(t, "k", 0)
	err := inbox.Once(t.Context(), e, func(ctx context.Context, tx bun.Tx) error { return errors.Join(handle(ctx, tx), errMade) })
	if !errors.Is(err, errMade) || count() != 0 {
		t.Errorf("%d effects, %v", count(), err)
	}
	if err := inbox.Once(t.Context(), e, handle); err != nil || count() != 1 {
		t.Errorf("%d effects, %v", count(), err)
	}
}

func onceConcurrently(t *testing.T, db *database.DB) {
	handle, count := effects(t, db)
	inbox := outbox.NewInbox(db, "shipping")
	e := newEvent(t, "k", 0)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			if err := inbox.Once(t.Context(), e, handle); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if count() != 1 {
		t.Errorf("%d effects", count())
	}
}

func inboxesApart(t *testing.T, db *database.DB) {
	handle, count := effects(t, db)
	e := newEvent(t, "k", 0)
	for _, consumer := range []string{"shipping", "billing"} {
		if err := outbox.NewInbox(db, consumer).Once(t.Context(), e, handle); err != nil {
			t.Fatal(err)
		}
	}
	if count() != 2 {
		t.Errorf("%d effects", count())
	}
}

func inboxForgets(t *testing.T, db *database.DB) {
	handle, count := effects(t, db)
	inbox := outbox.NewInbox(db, "shipping")
	e := newEvent(t, "k", 0)
	if err := inbox.Once(t.Context(), e, handle); err != nil {
		t.Fatal(err)
	}
	if n, err := inbox.Clean(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("forgot %d young ones, %v", n, err)
	}
	if n, err := inbox.Clean(t.Context(), -time.Second); n != 1 || err != nil {
		t.Errorf("forgot %d, %v", n, err)
	}
	if err := inbox.Once(t.Context(), e, handle); err != nil || count() != 2 {
		t.Errorf("%d effects, %v", count(), err)
	}
}

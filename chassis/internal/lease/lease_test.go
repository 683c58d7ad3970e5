package lease_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/internal/lease"
)

var tables = fstest.MapFS{
	"postgres/1_work.up.sql": {Data: []byte("CREATE TABLE work (name TEXT, id TEXT, fence BIGINT NOT NULL DEFAULT 0, due_at TIMESTAMPTZ, claims INT NOT NULL DEFAULT 0, PRIMARY KEY (name, id))")},
	"sqlite/1_work.up.sql":   {Data: []byte("CREATE TABLE work (name TEXT, id TEXT, fence BIGINT NOT NULL DEFAULT 0, due_at TIMESTAMP, claims INT NOT NULL DEFAULT 0, PRIMARY KEY (name, id))")},
}

type work struct {
	bun.BaseModel `bun:"table:work,alias:work"`

	Name, ID string
}

// conformance checks what a queue promises; open gives a new database with the table in it.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, db *database.DB){
		"what is due is claimed once, oldest first":            claimedOnce,
		"at the same time, each row has one claim":             claimedConcurrently,
		"what was given back is due again after its time":      givenBack,
		"a lease that ran out is taken over, and fenced":       takenOver,
		"a renewal does not undo what was given back":          renewalAfterRelease,
		"work has its limit, and rows of others are let alone": workLimit,
		"work whose lease is lost is told":                     lossIsTold,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, tables) })
}

func newQueue(db *database.DB, change ...func(*lease.Options)) *lease.Queue {
	opt := lease.Options{
		DB: db, Table: "work", Name: "mine", Set: "claims = claims + 1", Workers: 2, Lease: time.Hour, Poll: 10 * time.Millisecond,
		Drain: time.Minute, Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&opt)
	}
	return lease.New(opt)
}

func add(t *testing.T, db *database.DB, q *lease.Queue, name string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := db.NewInsert().Model(&work{Name: name, ID: id}).Value("due_at", "?", q.In(-time.Second)).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func claim(t *testing.T, q *lease.Queue, limit int, want ...string) []*lease.Claim {
	t.Helper()
	claims, err := q.Claim(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, c := range claims {
		ids[c.ID] = true
	}
	for _, id := range want {
		if !ids[id] || len(claims) != len(want) {
			t.Fatalf("claimed %v, want %v", ids, want)
		}
	}
	if len(want) == 0 && len(claims) > 0 {
		t.Fatalf("claimed %v, want none", ids)
	}
	return claims
}

func update(t *testing.T, db *database.DB, c *lease.Claim, next lease.Next) error {
	t.Helper()
	return lease.Exec(t.Context(), c.Update(db, &work{}, next).Set("claims = claims"))
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 10s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func claimedOnce(t *testing.T, db *database.DB) {
	q := newQueue(db)
	add(t, db, q, "mine", "a", "b", "c")
	add(t, db, q, "others", "x")
	claim(t, q, 2, "a", "b")
	claim(t, q, 2, "c")
	claim(t, q, 2)
	var claims []int
	if err := db.NewSelect().Table("work").Column("claims").OrderExpr("id").Scan(t.Context(), &claims); err != nil || fmt.Sprint(claims) != "[1 1 1 0]" {
		t.Errorf("claims are %v, %v", claims, err)
	}
}

func claimedConcurrently(t *testing.T, db *database.DB) {
	q := newQueue(db)
	const n = 40
	for i := range n {
		add(t, db, q, "mine", fmt.Sprint(i))
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range n {
				claims, err := q.Claim(t.Context(), 3)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, c := range claims {
					seen[c.ID]++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s was claimed %d times", id, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d were claimed, want %d", len(seen), n)
	}
}

func givenBack(t *testing.T, db *database.DB) {
	q := newQueue(db)
	add(t, db, q, "mine", "now", "later", "never", "kept")
	for _, c := range claim(t, q, 4, "now", "later", "never", "kept") {
		next := map[string]lease.Next{"now": lease.After(0), "later": lease.After(time.Hour), "never": lease.Retire(), "kept": lease.Keep()}[c.ID]
		if err := update(t, db, c, next); err != nil {
			t.Fatal(err)
		}
		if err := update(t, db, c, lease.Keep()); (c.ID == "kept") != (err == nil) || err != nil && !errors.Is(err, lease.ErrLost) {
			t.Errorf("a second write to %s: %v", c.ID, err)
		}
	}
	claim(t, q, 4, "now")
}

func takenOver(t *testing.T, db *database.DB) {
	q := newQueue(db, func(o *lease.Options) { o.Lease = 10 * time.Millisecond })
	add(t, db, q, "mine", "a")
	first := claim(t, q, 1, "a")[0]
	var second []*lease.Claim
	eventually(t, "the lease runs out", func() bool {
		var err error
		second, err = newQueue(db).Claim(t.Context(), 1)
		return err == nil && len(second) == 1
	})
	for name, next := range map[string]lease.Next{"keep": lease.Keep(), "give back": lease.After(0), "retire": lease.Retire()} {
		if err := update(t, db, first, next); !errors.Is(err, lease.ErrLost) {
			t.Errorf("who lost the lease could %s: %v", name, err)
		}
	}
	if err := update(t, db, second[0], lease.Retire()); err != nil {
		t.Error(err)
	}
}

// renewalAfterRelease has work give its row back for an hour and go on until several renewals would have been made.
func renewalAfterRelease(t *testing.T, db *database.DB) {
	q := newQueue(db, func(o *lease.Options) { o.Lease = 300 * time.Millisecond })
	add(t, db, q, "mine", "a")
	told := make(chan struct{})
	run(t, q, func(ctx context.Context, c *lease.Claim) error {
		if err := update(t, db, c, lease.After(time.Hour)); err != nil {
			t.Error(err)
		}
		<-ctx.Done() // a renewal has found that the row is given back
		close(told)
		return nil
	})
	<-told
	var due int
	err := db.NewSelect().Table("work").ColumnExpr("COUNT(*)").Where("due_at > ?", q.In(30*time.Minute)).Scan(t.Context(), &due)
	if err != nil || due != 1 {
		t.Errorf("the row is due before its hour, %v", err)
	}
}

func run(t *testing.T, q *lease.Queue, fn func(context.Context, *lease.Claim) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := q.Run(ctx, fn); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func workLimit(t *testing.T, db *database.DB) {
	q := newQueue(db)
	add(t, db, q, "mine", "a", "b", "c", "d")
	add(t, db, q, "others", "x")
	var at, most, done atomic.Int64
	leave := make(chan struct{})
	run(t, q, func(_ context.Context, c *lease.Claim) error {
		if n := at.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer at.Add(-1)
		<-leave
		done.Add(1)
		return update(t, db, c, lease.Retire())
	})
	eventually(t, "two are at work", func() bool { return at.Load() == 2 })
	close(leave)
	eventually(t, "all are done", func() bool { return done.Load() == 4 })
	if most.Load() != 2 {
		t.Errorf("%d were at work at a time, want 2", most.Load())
	}
	claim(t, newQueue(db, func(o *lease.Options) { o.Name = "others" }), 5, "x")
}

func lossIsTold(t *testing.T, db *database.DB) {
	q := newQueue(db, func(o *lease.Options) { o.Lease = 300 * time.Millisecond })
	add(t, db, q, "mine", "a")
	cause := make(chan error, 1)
	run(t, q, func(ctx context.Context, c *lease.Claim) error {
		if _, err := db.ExecContext(context.WithoutCancel(ctx), "UPDATE work SET fence = fence + 1, due_at = NULL"); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return nil
	})
	if err := <-cause; !errors.Is(err, lease.ErrLost) {
		t.Errorf("the cause is %v", err)
	}
}

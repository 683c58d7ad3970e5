package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
)

// lateCommit has a transaction that appended first commit last, while projections are at work.
func lateCommit(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	store := newStore(t, db)
	p := newProjector(t, store, balances("balances"))
	mustAppend(t, store, "early", eventstore.NoStream, deposited{1})
	catchUp(t, p)
	appended, commit := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
			_, err := store.Append(ctx, "late", eventstore.NoStream, deposited{2})
			close(appended)
			<-commit
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-appended
	second := make(chan struct{})
	group.Go(func() {
		defer close(second)
		if _, err := store.Append(t.Context(), "quick", eventstore.NoStream, deposited{3}); err != nil {
			t.Error(err)
		}
	})
	if db.Kind() == database.Postgres {
		eventually(t, "the second append waits, or has passed the first", func() bool {
			select {
			case <-second:
				return true
			default:
			}
			var waiting int
			err := db.NewSelect().TableExpr("pg_stat_activity").ColumnExpr("COUNT(*)").
				Where("datname = current_database() AND wait_event_type = 'Lock'").Scan(t.Context(), &waiting)
			return err == nil && waiting > 0
		})
		catchUp(t, p)
	}
	close(commit)
	group.Wait()
	catchUp(t, p)
	if got := readBalances(t, db, "balances"); got["early"].Events != 1 || got["late"].Events != 1 || got["quick"].Events != 1 {
		t.Errorf("the projection has %v", got)
	}
}

// severalReplicas has writers, of whom some roll back, and three projectors at once.
func severalReplicas(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	registry := prometheus.NewRegistry()
	store := newStore(t, db, func(o *eventstore.Options) { o.Registry = registry })
	var stops []func()
	var last *eventstore.Projector
	for range 3 {
		last = newProjector(t, store, balances("balances"))
		stops = append(stops, run(t, last))
	}
	var group sync.WaitGroup
	for w := range 6 {
		group.Go(func() {
			for n := range 12 {
				err := db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
					if _, err := store.Append(ctx, fmt.Sprint("s", (w+n)%4), eventstore.Any, deposited{1}, deposited{1}); err != nil {
						return err
					}
					if n%4 == 3 {
						return errMade
					}
					return nil
				})
				if err != nil && !errors.Is(err, errMade) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	const want = 6 * 9 * 2
	if err := last.WaitFor(t.Context(), "balances", want); err != nil {
		t.Fatal(err)
	}
	for _, stop := range stops {
		stop()
	}
	var events, sum int64
	for stream, row := range readBalances(t, db, "balances") {
		recorded := must[[]eventstore.Recorded](t)(store.Load(t.Context(), stream, eventstore.Range{}))
		if row.Events != int64(len(recorded)) || row.Position != recorded[len(recorded)-1].Position {
			t.Errorf("%s: %+v, and the stream has %d events", stream, row, len(recorded))
		}
		events += row.Events
		sum += row.Balance
	}
	if events != want || sum != want {
		t.Errorf("%d events handled with a sum of %d, want %d", events, sum, want)
	}
	if n, err := testutil.GatherAndCount(registry, "eventstore_projection_failures_total"); err != nil || n != 0 {
		t.Errorf("replicas were in each other's way: %d, %v", n, err) // balances refuses an event that comes again
	}
}

// poisoned is a projection like balances that fails at an amount of 13 as long as sick.
func poisoned(name string, sick *atomic.Bool, failure func() error) eventstore.Projection {
	p := balances(name)
	handle := p.Handle
	p.Handle = func(ctx context.Context, tx eventstore.Tx, e eventstore.Recorded) error {
		if err := handle(ctx, tx, e); err != nil {
			return err
		}
		if e.Data == any(deposited{13}) && sick.Load() {
			return failure()
		}
		return nil
	}
	return p
}

// other is a projection beside balances, in a table of its own a generation.
func other(name string) eventstore.Projection {
	table := func(tx eventstore.Tx) bun.Ident { return bun.Ident(fmt.Sprintf("%s_%d", name, tx.Generation)) }
	statement := func(text string) func(context.Context, eventstore.Tx) error {
		return func(ctx context.Context, tx eventstore.Tx) error {
			_, err := tx.ExecContext(ctx, text, table(tx))
			return err
		}
	}
	return eventstore.Projection{
		Name: name, Create: statement("CREATE TABLE ? (position BIGINT PRIMARY KEY)"), Drop: statement("DROP TABLE ?"),
		Handle: func(ctx context.Context, tx eventstore.Tx, e eventstore.Recorded) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO ? VALUES (?)", table(tx), e.Position)
			return err
		},
	}
}

func count(t testing.TB, db *database.DB, table string) int64 {
	t.Helper()
	return must[int64](t)(db.NewSelect().Table(table).Count(t.Context()))
}

func poison(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	registry := prometheus.NewRegistry()
	store := newStore(t, db, func(o *eventstore.Options) { o.Registry = registry })
	var sick atomic.Bool
	sick.Store(true)
	p := newProjector(t, store, poisoned("balances", &sick, func() error { return errMade }), other("journal"))
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1})
	catchUp(t, p)
	mustAppend(t, store, "a", 1, deposited{2}, deposited{3}, deposited{13}, deposited{4})
	run(t, p)
	eventually(t, "it failed thrice", func() bool { return status(t, p)[0].Failures >= 3 })
	eventually(t, "the other projection goes on", func() bool { return count(t, db, "journal_1") == 5 })
	s := status(t, p)[0]
	if !s.Live || s.Position != 3 || s.FailedPosition != 4 || s.Lag != 2 || !strings.Contains(s.LastError, errMade.Error()) {
		t.Errorf("%+v", s)
	}
	if got := readBalances(t, db, "balances")["a"]; got.Balance != 6 || got.Events != 3 { // what stood before the event in its batch is there
		t.Errorf("the model has %+v", got)
	}
	if err := p.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "position 4") || strings.Contains(err.Error(), "journal") {
		t.Errorf("check: %v", err)
	}
	if err := eventstore.Measure(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
		# HELP eventstore_projection_failing 1 when it stands still at an event that it cannot handle: mend it or skip the event.
		# TYPE eventstore_projection_failing gauge
		eventstore_projection_failing{projection="balances",state="live"} 1
		eventstore_projection_failing{projection="journal",state="live"} 0
	`), "eventstore_projection_failing")
	if err != nil {
		t.Error(err)
	}
	sick.Store(false)
	eventually(t, "it goes on by itself", func() bool { return readBalances(t, db, "balances")["a"].Balance == 23 })
	if err := p.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

func panicking(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	store := newStore(t, db)
	var sick atomic.Bool
	sick.Store(true)
	p := newProjector(t, store, poisoned("balances", &sick, func() error { panic("out of order") }))
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1}, deposited{13})
	catchUp(t, p)
	if s := status(t, p)[0]; s.Live || s.Position != 1 || s.Failures != 1 || !strings.Contains(s.LastError, "out of order") {
		t.Errorf("%+v", s)
	}
}

func skipping(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	store := newStore(t, db)
	p := newProjector(t, store, balances("balances"))
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1})
	mustAppend(t, store, "b", eventstore.NoStream, deposited{2})
	mustAppend(t, store, "c", eventstore.NoStream, deposited{3})
	execute(t, db, "UPDATE eventstore_event SET data = '{' WHERE stream = 'b'")
	catchUp(t, p)
	s := status(t, p)[0]
	if s.FailedPosition != 2 || s.Failures != 1 {
		t.Fatalf("%+v", s)
	}
	for _, position := range []int64{1, 3} {
		if err := p.Skip(t.Context(), "balances", s.Generation, position); err == nil {
			t.Errorf("position %d was skipped", position)
		}
	}
	if err := p.Skip(t.Context(), "balances", s.Generation, 2); err != nil {
		t.Fatal(err)
	}
	catchUp(t, p)
	if got := readBalances(t, db, "balances"); len(got) != 2 || got["c"].Balance != 3 {
		t.Errorf("the model has %v", got)
	}
}

func rebuildMends(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	store := newStore(t, db)
	var sick atomic.Bool
	p := newProjector(t, store, poisoned("balances", &sick, func() error { return errMade }))
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1})
	catchUp(t, p)
	sick.Store(true)
	mustAppend(t, store, "a", 1, deposited{13}, deposited{2})
	catchUp(t, p)
	if got := readBalances(t, db, "balances")["a"].Balance; got != 1 {
		t.Fatalf("balance %d", got)
	}
	sick.Store(false)
	if generation, err := p.Rebuild(t.Context(), "balances"); err != nil || generation != 2 {
		t.Fatalf("generation %d, %v", generation, err)
	}
	catchUp(t, p)
	if s := status(t, p); len(s) != 1 || s[0].Generation != 2 || s[0].Failures != 0 || !s[0].Live {
		t.Errorf("%+v", s)
	}
	if got := readBalances(t, db, "balances")["a"].Balance; got != 16 {
		t.Errorf("balance %d", got)
	}
	if _, err := p.Rebuild(t.Context(), "balance"); !errors.Is(err, eventstore.ErrUnknownProjection) {
		t.Errorf("got %v", err)
	}
}

// rebuildUnderWrites rebuilds a model again and again while it is written and read. What a reader sees only grows.
func rebuildUnderWrites(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	store := newStore(t, db)
	mustAppend(t, store, "s", eventstore.NoStream, deposited{1})
	replicas := []*eventstore.Projector{newProjector(t, store, balances("balances")), newProjector(t, store, balances("balances"))}
	catchUp(t, replicas[0])
	for _, p := range replicas {
		run(t, p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var writes atomic.Int64
	group.Go(func() {
		for ctx.Err() == nil {
			commit, err := store.Append(context.Background(), "s", eventstore.Any, deposited{1})
			if err != nil {
				t.Error(err)
				return
			}
			writes.Add(1)
			if writes.Load()%10 == 0 { // neither starves the other, and a token holds across generations
				if err := replicas[0].WaitFor(context.Background(), "balances", commit.Position); err != nil {
					t.Error(err)
				} else if got := readBalances(t, db, "balances")["s"].Position; got < commit.Position {
					t.Errorf("read position %d after waiting for %d", got, commit.Position)
				}
			}
		}
	})
	group.Go(func() {
		last := int64(0)
		for ctx.Err() == nil {
			got := readBalances(t, db, "balances")["s"]
			if got.Balance < max(last, 1) || got.Events != got.Balance || got.Position != got.Balance {
				t.Errorf("the reader saw %+v after %d", got, last)
				return
			}
			last = got.Balance
		}
	})
	for range 3 {
		before := writes.Load()
		generation := must[int64](t)(replicas[1].Rebuild(t.Context(), "balances"))
		eventually(t, "the new generation is live", func() bool {
			g, err := replicas[0].Generation(t.Context(), "balances")
			return err == nil && g == generation
		})
		eventually(t, "writes went on", func() bool { return writes.Load() > before+5 })
	}
	cancel()
	group.Wait()
	eventually(t, "older generations are dropped", func() bool {
		var generations []int64
		err := db.NewSelect().Table("balances").ColumnExpr("DISTINCT generation").Scan(t.Context(), &generations)
		return err == nil && len(generations) == 1 && generations[0] == 4
	})
}

func rebuildAgain(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	p := newProjector(t, store, other("journal"))
	for n := range 3 {
		mustAppend(t, store, "a", int64(n), deposited{1})
	}
	catchUp(t, p)
	for _, want := range []int64{2, 3} {
		if generation, err := p.Rebuild(t.Context(), "journal"); err != nil || generation != want {
			t.Fatalf("generation %d, %v", generation, err)
		}
	}
	catchUp(t, p)
	catchUp(t, p) // one is dropped at a time
	if n := count(t, db, "journal_3"); n != 3 {
		t.Errorf("%d rows", n)
	}
	for _, table := range []string{"journal_1", "journal_2"} {
		if _, err := db.NewSelect().Table(table).Count(t.Context()); err == nil {
			t.Errorf("%s is still there", table)
		}
	}
}

func someTypes(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	store := newStore(t, db)
	only := balances("deposits")
	only.Types = []string{"money.deposited"}
	handled := 0
	only.Handle = func(_ context.Context, _ eventstore.Tx, e eventstore.Recorded) error {
		if _, ok := e.Data.(deposited); !ok {
			return fmt.Errorf("%T", e.Data)
		}
		handled++
		return nil
	}
	p := newProjector(t, store, only)
	for n := range 10 {
		mustAppend(t, store, "a", int64(3*n), deposited{2}, withdrawn{1}, withdrawn{1})
	}
	catchUp(t, p)
	if s := status(t, p)[0]; handled != 10 || s.Position != 30 || s.Lag != 0 || !s.Live {
		t.Errorf("%d handled, %+v", handled, s)
	}
}

func waitFor(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	store := newStore(t, db)
	p := newProjector(t, store, balances("balances"))
	commit := mustAppend(t, store, "a", eventstore.NoStream, deposited{5})
	if _, err := p.Generation(t.Context(), "balances"); !errors.Is(err, eventstore.ErrNotBuilt) {
		t.Errorf("generation: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.WaitFor(short, "balances", commit.Position); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody projects: %v", err)
	}
	if err := p.WaitFor(t.Context(), "balances", commit.Position+1); !errors.Is(err, eventstore.ErrUnknownPosition) {
		t.Errorf("a position to come: %v", err)
	}
	if err := p.WaitFor(t.Context(), "balance", 1); !errors.Is(err, eventstore.ErrUnknownProjection) {
		t.Errorf("another projection: %v", err)
	}
	run(t, newProjector(t, store, balances("balances"))) // another replica
	for n := range 20 {
		commit = mustAppend(t, store, "a", int64(n+1), deposited{5})
		if err := p.WaitFor(t.Context(), "balances", commit.Position); err != nil {
			t.Fatal(err)
		}
		if got := readBalances(t, db, "balances")["a"].Balance; got != int64(5*(n+2)) {
			t.Fatalf("read %d after write %d", got, n+2)
		}
	}
}

func metricsTell(t *testing.T, db *database.DB) {
	execute(t, db, balancesTable)
	registry := prometheus.NewRegistry()
	now := newClock()
	store := newStore(t, db, func(o *eventstore.Options) { o.Registry, o.Now = registry, now.Now })
	p := newProjector(t, store, balances("balances"))
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1}, deposited{2})
	catchUp(t, p)
	mustAppend(t, store, "a", 2, deposited{3}, deposited{4}, deposited{5})
	if _, err := store.Append(t.Context(), "a", 2, deposited{1}); err == nil {
		t.Fatal("no conflict")
	}
	now.set(noon.Add(90 * time.Second))
	if err := eventstore.Measure(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
		# HELP eventstore_appended_total Events appended by this process.
		# TYPE eventstore_appended_total counter
		eventstore_appended_total 5
		# HELP eventstore_conflicts_total Appends of this process that were refused, since the stream had another version.
		# TYPE eventstore_conflicts_total counter
		eventstore_conflicts_total 1
		# HELP eventstore_projection_handled_total Events handled by this process.
		# TYPE eventstore_projection_handled_total counter
		eventstore_projection_handled_total{projection="balances"} 2
		# HELP eventstore_projection_lag_events Events that the projection's live or building generation has not handled.
		# TYPE eventstore_projection_lag_events gauge
		eventstore_projection_lag_events{projection="balances",state="live"} 3
		# HELP eventstore_projection_lag_seconds Age of the oldest event that it has not handled; 0 when there is none.
		# TYPE eventstore_projection_lag_seconds gauge
		eventstore_projection_lag_seconds{projection="balances",state="live"} 90
	`), "eventstore_appended_total", "eventstore_conflicts_total", "eventstore_projection_handled_total",
		"eventstore_projection_lag_events", "eventstore_projection_lag_seconds")
	if err != nil {
		t.Error(err)
	}
}

package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func textbook(t *testing.T, db *database.DB) {
	now := newClock()
	accounts := newAccounts(t, newStore(t, db, func(o *eventstore.Options) { o.Now = now.Now }))
	commit := must[eventstore.Commit](t)
	commit(accounts.Create(t.Context(), "1", always(opened{1000})))
	now.set(noon.Add(time.Minute))
	commit(accounts.Update(t.Context(), "1", always(deposited{500})))
	now.set(noon.Add(2 * time.Minute))
	last := commit(accounts.Update(t.Context(), "1", func(a *account) ([]any, error) { return a.withdraw(200) }))
	if last.Version != 3 || last.Position != 3 || last.Stream != "account-1" {
		t.Errorf("commit: %+v", last)
	}
	if _, err := accounts.Update(t.Context(), "1", func(a *account) ([]any, error) { return a.withdraw(1301) }); !errors.Is(err, errFunds) {
		t.Errorf("got %v, want insufficient funds", err)
	}
	a, version, err := accounts.Get(t.Context(), "1")
	if err != nil || a.Balance != 1300 || version != 3 {
		t.Errorf("now: %+v at version %d, %v", a, version, err)
	}
	for at, want := range map[time.Time]int64{
		noon: 1000, noon.Add(119 * time.Second): 1500, noon.Add(2*time.Minute - time.Microsecond): 1500, noon.Add(2 * time.Minute): 1300,
	} {
		if a, _, err := accounts.GetAsOf(t.Context(), "1", at); err != nil || a.Balance != want {
			t.Errorf("as of %s: %d, %v, want %d", at.Sub(noon), a.Balance, err, want)
		}
	}
	for version, want := range []int64{1: 1000, 2: 1500, 3: 1300} {
		if version == 0 {
			continue
		}
		if a, _, err := accounts.GetVersion(t.Context(), "1", int64(version)); err != nil || a.Balance != want {
			t.Errorf("version %d: %d, %v, want %d", version, a.Balance, err, want)
		}
	}
	if _, _, err := accounts.GetAsOf(t.Context(), "1", noon.Add(-time.Second)); !errors.Is(err, eventstore.ErrNotFound) {
		t.Errorf("before the account: %v", err)
	}
	for _, version := range []int64{0, 4} {
		if _, _, err := accounts.GetVersion(t.Context(), "1", version); !errors.Is(err, eventstore.ErrNotFound) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func versionsOfTheirOwn(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	for n := range 3 {
		for _, stream := range []string{"a", "b"} {
			commit := mustAppend(t, store, stream, int64(2*n), deposited{1}, deposited{2})
			if commit.Version != int64(2*n+2) {
				t.Errorf("%s: %+v", stream, commit)
			}
		}
	}
	for _, stream := range []string{"a", "b"} {
		events := must[[]eventstore.Recorded](t)(store.Load(t.Context(), stream, eventstore.Range{}))
		if got := versions(events); got != "1 2 3 4 5 6" {
			t.Errorf("%s: versions %s", stream, got)
		}
		middle := must[[]eventstore.Recorded](t)(store.Load(t.Context(), stream, eventstore.Range{From: 3, To: 4}))
		if got := versions(middle); got != "3 4" {
			t.Errorf("%s: versions %s, want 3 4", stream, got)
		}
	}
	all := must[[]eventstore.Recorded](t)(store.ReadAll(t.Context(), 2, 5))
	if got := positions(all); got != "3 4 5 6 7" {
		t.Errorf("positions %s", got)
	}
}

func versions(events []eventstore.Recorded) string {
	return join(events, func(e eventstore.Recorded) int64 { return e.Version })
}

func positions(events []eventstore.Recorded) string {
	return join(events, func(e eventstore.Recorded) int64 { return e.Position })
}

func join(events []eventstore.Recorded, of func(eventstore.Recorded) int64) string {
	var words []string
	for _, e := range events {
		words = append(words, fmt.Sprint(of(e)))
	}
	return strings.Join(words, " ")
}

func refusedAppend(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1}, deposited{2})
	for _, expected := range []int64{eventstore.NoStream, 1, 3} {
		_, err := store.Append(t.Context(), "a", expected, deposited{3})
		var conflict *eventstore.ConflictError
		if !errors.Is(err, eventstore.ErrConflict) || !errors.As(err, &conflict) || conflict.Actual != 2 || conflict.Expected != expected {
			t.Errorf("expected version %d: %v", expected, err)
		}
	}
	if _, err := store.Append(t.Context(), "missing", 1, deposited{1}); !errors.Is(err, eventstore.ErrConflict) {
		t.Errorf("a stream that is not there: %v", err)
	}
	if commit := mustAppend(t, store, "a", eventstore.Any, deposited{3}); commit.Version != 3 || commit.Position != 3 {
		t.Errorf("any version: %+v", commit)
	}
}

func refusedInTransaction(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1})
	inTx(t, db, func(ctx context.Context, tx bun.Tx) error {
		if _, err := store.Append(ctx, "a", eventstore.NoStream, deposited{2}); !errors.Is(err, eventstore.ErrConflict) {
			t.Errorf("got %v", err)
		}
		if _, err := store.Append(ctx, "a", 1, deposited{3}); err != nil {
			return err
		}
		events, err := store.Load(ctx, "a", eventstore.Range{In: tx})
		if versions(events) != "1 2" {
			t.Errorf("in the transaction: versions %s", versions(events))
		}
		return err
	})
	if all := must[[]eventstore.Recorded](t)(store.ReadAll(t.Context(), 0, 10)); positions(all) != "1 2" {
		t.Errorf("positions %s", positions(all))
	}
}

func rollbackLeavesNothing(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := store.AppendOnce(ctx, "c", "a", eventstore.NoStream, deposited{1})
		return errors.Join(err, errMade)
	})
	if !errors.Is(err, errMade) {
		t.Fatal(err)
	}
	commit, err := store.AppendOnce(t.Context(), "c", "a", eventstore.NoStream, deposited{1})
	if err != nil || commit.Repeated || commit.Position != 1 || commit.Version != 1 {
		t.Errorf("%+v, %v", commit, err)
	}
}

func manyWriters(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	const writers, each = 16, 5
	var group sync.WaitGroup
	var mu sync.Mutex
	var got []int64
	for range writers {
		group.Go(func() {
			expected := eventstore.NoStream
			for done := 0; done < each; {
				commit, err := store.Append(t.Context(), "a", expected, deposited{1})
				var conflict *eventstore.ConflictError
				switch {
				case errors.As(err, &conflict):
					expected = conflict.Actual
				case err != nil:
					t.Error(err)
					return
				default:
					mu.Lock()
					got = append(got, commit.Version)
					mu.Unlock()
					expected = commit.Version
					done++
				}
			}
		})
	}
	group.Wait()
	slices.Sort(got)
	for i, version := range got {
		if version != int64(i+1) {
			t.Fatalf("versions %v: want each once", got)
		}
	}
	events := must[[]eventstore.Recorded](t)(store.Load(t.Context(), "a", eventstore.Range{}))
	if len(got) != writers*each || len(events) != len(got) {
		t.Errorf("%d commits, %d events, want %d", len(got), len(events), writers*each)
	}
}

func manyUpdates(t *testing.T, db *database.DB) {
	accounts := newAccounts(t, newStore(t, db), func(k *eventstore.Aggregate[account]) {
		k.Attempts = 1000
		k.Snapshot = eventstore.Snapshot[account]{Every: 10, Schema: 1}
	})
	must[eventstore.Commit](t)(accounts.Create(t.Context(), "1", always(opened{0})))
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 5 {
				if _, err := accounts.Update(t.Context(), "1", always(deposited{1})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if a, version, err := accounts.Get(t.Context(), "1"); err != nil || a.Balance != 80 || version != 81 {
		t.Errorf("%+v at version %d, %v", a, version, err)
	}
}

// severalStreams has transactions that append to the same two streams in opposite orders.
func severalStreams(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			streams := []string{"a", "b"}
			if n%2 == 1 {
				slices.Reverse(streams)
			}
			err := db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
				for _, stream := range streams {
					if _, err := store.Append(ctx, stream, eventstore.Any, deposited{1}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, stream := range []string{"a", "b"} {
		if got := versions(must[[]eventstore.Recorded](t)(store.Load(t.Context(), stream, eventstore.Range{}))); got != "1 2 3 4 5 6 7 8" {
			t.Errorf("%s: versions %s", stream, got)
		}
	}
}

func commandOnce(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	accounts := newAccounts(t, store)
	must[eventstore.Commit](t)(accounts.CreateOnce(t.Context(), "open", "1", always(opened{0})))
	again, err := accounts.CreateOnce(t.Context(), "open", "1", always(opened{0}))
	if err != nil || !again.Repeated || again.Version != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	first := must[eventstore.Commit](t)(accounts.UpdateOnce(t.Context(), "c-1", "1", always(deposited{100}, deposited{10})))
	must[eventstore.Commit](t)(accounts.UpdateOnce(t.Context(), "c-2", "1", always(deposited{1})))
	calls := 0
	again, err = accounts.UpdateOnce(t.Context(), "c-1", "1", func(*account) ([]any, error) { calls++; return []any{deposited{100}}, nil })
	if err != nil || !again.Repeated || again.Version != first.Version || again.Position != first.Position || calls != 0 {
		t.Errorf("%+v, %v, %d calls; want that of %+v", again, err, calls, first)
	}
	if a, version, err := accounts.Get(t.Context(), "1"); err != nil || a.Balance != 111 || version != 4 {
		t.Errorf("%+v at version %d, %v", a, version, err)
	}
	if commit := must[eventstore.Commit](t)(store.AppendOnce(t.Context(), "c-1", "other", eventstore.NoStream, deposited{1})); commit.Repeated {
		t.Error("a command is of one stream")
	}
	_, err = accounts.UpdateOnce(t.Context(), "c-3", "1", func(*account) ([]any, error) { return nil, errMade })
	if !errors.Is(err, errMade) {
		t.Errorf("got %v", err)
	}
	if commit := must[eventstore.Commit](t)(accounts.UpdateOnce(t.Context(), "c-3", "1", always(deposited{1}))); commit.Repeated {
		t.Error("a refused command can be tried again")
	}
	if _, err := accounts.UpdateOnce(t.Context(), "", "1", always(deposited{1})); err == nil {
		t.Error("an empty command id was taken")
	}
}

func commandConcurrently(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	mustAppend(t, store, "account-1", eventstore.NoStream, opened{0})
	accounts := newAccounts(t, store, func(k *eventstore.Aggregate[account]) { k.Attempts = 1000 })
	var group sync.WaitGroup
	var mu sync.Mutex
	original := map[string]int{}
	for range 8 {
		for _, command := range []string{"x", "y"} {
			group.Go(func() {
				commit, err := accounts.UpdateOnce(t.Context(), command, "1", always(deposited{1}))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if !commit.Repeated {
					original[command]++
				}
			})
			group.Go(func() {
				if _, err := store.AppendOnce(t.Context(), command, "account-2", eventstore.Any, deposited{1}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	if original["x"] != 1 || original["y"] != 1 {
		t.Errorf("not repeated: %v", original)
	}
	for stream, want := range map[string]int{"account-1": 3, "account-2": 2} {
		if events := must[[]eventstore.Recorded](t)(store.Load(t.Context(), stream, eventstore.Range{})); len(events) != want {
			t.Errorf("%s: %d events, want %d", stream, len(events), want)
		}
	}
}

func timeGoesForward(t *testing.T, db *database.DB) {
	now := newClock()
	store := newStore(t, db, func(o *eventstore.Options) { o.Now = now.Now })
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1})
	now.set(noon.Add(-time.Hour)) // another replica's clock
	mustAppend(t, store, "a", 1, deposited{2})
	mustAppend(t, store, "a", eventstore.Any, deposited{3})
	events := must[[]eventstore.Recorded](t)(store.Load(t.Context(), "a", eventstore.Range{AsOf: noon.Add(-time.Minute)}))
	if len(events) != 0 {
		t.Errorf("before the first event there are versions %s", versions(events))
	}
	events = must[[]eventstore.Recorded](t)(store.Load(t.Context(), "a", eventstore.Range{AsOf: noon.In(time.FixedZone("", 3600))}))
	if versions(events) != "1 2 3" || !events[2].At.Equal(noon) || events[2].At.Location() != time.UTC {
		t.Errorf("versions %s: %+v", versions(events), events)
	}
}

func invalidAppend(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	for name, err := range map[string]error{
		"empty stream":   second(store.Append(t.Context(), "", eventstore.Any, deposited{1})),
		"NUL":            second(store.Append(t.Context(), "a\x00", eventstore.Any, deposited{1})),
		"no UTF-8":       second(store.Append(t.Context(), "a\xff", eventstore.Any, deposited{1})),
		"long stream":    second(store.Append(t.Context(), strings.Repeat("a", 501), eventstore.Any, deposited{1})),
		"no events":      second(store.Append(t.Context(), "a", eventstore.Any)),
		"version -2":     second(store.Append(t.Context(), "a", -2, deposited{1})),
		"unknown":        second(store.Append(t.Context(), "a", eventstore.Any, deposited{1}, 5)),
		"nil":            second(store.Append(t.Context(), "a", eventstore.Any, nil)),
		"pointer":        second(store.Append(t.Context(), "a", eventstore.Any, &deposited{1})),
		"empty command":  second(store.AppendOnce(t.Context(), "", "a", eventstore.Any, deposited{1})),
		"stream of NULs": second(store.AppendOnce(t.Context(), "c", "\x00", eventstore.Any, deposited{1})),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if all := must[[]eventstore.Recorded](t)(store.ReadAll(t.Context(), 0, 10)); len(all) != 0 {
		t.Errorf("%d events were stored", len(all))
	}
}

func second(_ eventstore.Commit, err error) error { return err }

func createAndUpdate(t *testing.T, db *database.DB) {
	accounts := newAccounts(t, newStore(t, db))
	if _, err := accounts.Update(t.Context(), "1", always(deposited{1})); !errors.Is(err, eventstore.ErrNotFound) {
		t.Errorf("update: %v", err)
	}
	if _, _, err := accounts.Get(t.Context(), "1"); !errors.Is(err, eventstore.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	first := must[eventstore.Commit](t)(accounts.Create(t.Context(), "1", always(opened{1})))
	if _, err := accounts.Create(t.Context(), "1", always(opened{1})); !errors.Is(err, eventstore.ErrExists) {
		t.Errorf("create: %v", err)
	}
	if same := must[eventstore.Commit](t)(accounts.Update(t.Context(), "1", always())); same != first {
		t.Errorf("an update without events: %+v, want %+v", same, first)
	}
}

func attemptsEnd(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	accounts := newAccounts(t, store, func(k *eventstore.Aggregate[account]) { k.Attempts = 3 })
	must[eventstore.Commit](t)(accounts.Create(t.Context(), "1", always(opened{0})))
	calls := 0
	_, err := accounts.Update(t.Context(), "1", func(a *account) ([]any, error) {
		calls++
		a.Balance = -1                    // what an attempt does to its aggregate is gone in the next
		if db.Kind() == database.SQLite { // nobody else can write while an update decides
			return []any{deposited{1}}, nil
		}
		_, err := store.Append(t.Context(), "account-1", eventstore.Any, deposited{1})
		return []any{deposited{1}}, err
	})
	if db.Kind() == database.SQLite {
		if err != nil || calls != 1 {
			t.Errorf("%d calls, %v", calls, err)
		}
		return
	}
	if !errors.Is(err, eventstore.ErrConflict) || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if a, _, err := accounts.Get(t.Context(), "1"); err != nil || a.Balance != 3 {
		t.Errorf("%+v, %v", a, err)
	}
}

func missingEvent(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	accounts := newAccounts(t, store)
	mustAppend(t, store, "account-1", eventstore.NoStream, opened{1}, deposited{2}, deposited{3})
	execute(t, db, "DELETE FROM eventstore_event WHERE version = 2")
	if _, _, err := accounts.Get(t.Context(), "1"); err == nil || !strings.Contains(err.Error(), "no version 2") {
		t.Errorf("got %v", err)
	}
}

func metadataGoesOn(t *testing.T, db *database.DB) {
	store := newStore(t, db)
	ids := telemetry.IDs{Request: "request-1", Correlation: "correlation-1"}
	if _, err := store.Append(telemetry.WithIDs(t.Context(), ids), "a", eventstore.NoStream, deposited{1}); err != nil {
		t.Fatal(err)
	}
	var seen telemetry.IDs
	catchUp(t, newProjector(t, store, eventstore.Projection{
		Name: "ids",
		Handle: func(ctx context.Context, _ eventstore.Tx, _ eventstore.Recorded) error {
			seen = telemetry.ContextIDs(ctx)
			return nil
		},
		Drop: func(context.Context, eventstore.Tx) error { return nil },
	}))
	if seen != ids {
		t.Errorf("got %+v", seen)
	}
}

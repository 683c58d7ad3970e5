package summary

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/users/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// conformance checks what summaries promise on every kind of database; open gives an empty one.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *database.DB){
		"completed orders are summed up by currency":     sumsUp,
		"the order of events does not matter":            takesAnyOrder,
		"an order that is told of again changes nothing": countsOnce,
		"an order is settled in one way":                 refusesContradiction,
		"what fails leaves nothing":                      leavesNothing,
		"orders at once are all counted":                 countsAtOnce,
		"a reader waits for what it knows of":            waitsFor,
		"a reader does not wait for ever":                givesUpWaiting,
		"summaries are made anew from the orders":        rebuilds,
		"a generation is made once":                      rebuildsOnce,
		"readers see whole summaries while all are made": rebuildsLive,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if err := database.Migrate(t.Context(), db, migrations.FS); err != nil {
				t.Fatal(err)
			}
			test(t, db)
		})
	}
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// eur is a completed order of a user; its number tells when.
func eur(t testing.TB, user string, n int, amount string) Order {
	t.Helper()
	return Order{ID: fmt.Sprint(user, "-", n), UserID: user, Completed: true, Total: worth(t, amount, "EUR"), SettledAt: noon.Add(time.Duration(n) * time.Minute)}
}

func worth(t testing.TB, amount, currency string) money.Money {
	t.Helper()
	m, err := money.New(amount, currency)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func record(s *Summaries, o Order) error {
	return s.db.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) error { return s.Record(ctx, tx, o) })
}

func mustRecord(t *testing.T, s *Summaries, orders ...Order) {
	t.Helper()
	for _, o := range orders {
		if err := record(s, o); err != nil {
			t.Fatal(err)
		}
	}
}

func wantSummary(t *testing.T, s *Summaries, want Summary) {
	t.Helper()
	got, err := s.Get(t.Context(), want.UserID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func sumsUp(t *testing.T, db *database.DB) {
	s := New(db, 1)
	wantSummary(t, s, Summary{UserID: "ada"})
	yen := eur(t, "ada", 3, "1")
	yen.Total = worth(t, "900", "JPY")
	cancelled := eur(t, "ada", 4, "99.99")
	cancelled.Completed = false
	mustRecord(t, s, eur(t, "ada", 1, "12.50"), eur(t, "ada", 2, "0.10"), yen, cancelled, eur(t, "bob", 1, "7"))
	wantSummary(t, s, Summary{
		UserID: "ada", Version: 4, OrderCount: 3, LastOrderAt: noon.Add(3 * time.Minute), Totals: []money.Money{worth(t, "12.60", "EUR"), worth(t, "900", "JPY")},
	})
	wantSummary(t, s, Summary{UserID: "bob", Version: 1, OrderCount: 1, LastOrderAt: noon.Add(time.Minute), Totals: []money.Money{worth(t, "7", "EUR")}})
}

func takesAnyOrder(t *testing.T, db *database.DB) {
	s := New(db, 1)
	mustRecord(t, s, eur(t, "ada", 3, "3"), eur(t, "ada", 1, "1"), eur(t, "ada", 2, "2"))
	wantSummary(t, s, Summary{UserID: "ada", Version: 3, OrderCount: 3, LastOrderAt: noon.Add(3 * time.Minute), Totals: []money.Money{worth(t, "6", "EUR")}})
}

func countsOnce(t *testing.T, db *database.DB) {
	s := New(db, 1)
	again := eur(t, "ada", 1, "1.00")
	mustRecord(t, s, eur(t, "ada", 1, "1"), again, eur(t, "ada", 1, "1"))
	wantSummary(t, s, Summary{UserID: "ada", Version: 1, OrderCount: 1, LastOrderAt: noon.Add(time.Minute), Totals: []money.Money{worth(t, "1", "EUR")}})
}

func refusesContradiction(t *testing.T, db *database.DB) {
	s := New(db, 1)
	mustRecord(t, s, eur(t, "ada", 1, "1"))
	cancelled, dearer, another := eur(t, "ada", 1, "1"), eur(t, "ada", 1, "2"), eur(t, "ada", 1, "1")
	cancelled.Completed, another.UserID = false, "bob"
	for _, o := range []Order{cancelled, dearer, another} {
		if err := record(s, o); !errors.Is(err, ErrContradiction) {
			t.Errorf("%+v: error %v, want %v", o, err, ErrContradiction)
		}
	}
	wantSummary(t, s, Summary{UserID: "ada", Version: 1, OrderCount: 1, LastOrderAt: noon.Add(time.Minute), Totals: []money.Money{worth(t, "1", "EUR")}})
	wantSummary(t, s, Summary{UserID: "bob"})
}

func leavesNothing(t *testing.T, db *database.DB) {
	s := New(db, 1)
	broken := errors.New("broken")
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		return errors.Join(s.Record(ctx, tx, eur(t, "ada", 1, "1")), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	wantSummary(t, s, Summary{UserID: "ada"})
	mustRecord(t, s, eur(t, "ada", 1, "1"))
	wantSummary(t, s, Summary{UserID: "ada", Version: 1, OrderCount: 1, LastOrderAt: noon.Add(time.Minute), Totals: []money.Money{worth(t, "1", "EUR")}})
}

func countsAtOnce(t *testing.T, db *database.DB) {
	s := New(db, 1)
	const replicas, orders = 4, 15
	var group sync.WaitGroup
	for range replicas { // each is told of all of them
		group.Go(func() {
			for _, n := range rand.Perm(orders) {
				if err := record(s, eur(t, "ada", n, "0.10")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	wantSummary(t, s, Summary{
		UserID: "ada", Version: orders, OrderCount: orders, LastOrderAt: noon.Add((orders - 1) * time.Minute), Totals: []money.Money{worth(t, "1.50", "EUR")},
	})
}

func waitsFor(t *testing.T, db *database.DB) {
	s := New(db, 1)
	s.wait = time.Minute
	for n := range 5 {
		waited := make(chan error, 1)
		begun := make(chan struct{})
		go func() {
			close(begun)
			waited <- s.WaitFor(context.Background(), "ada", fmt.Sprint("ada-", n))
		}()
		<-begun
		mustRecord(t, s, eur(t, "ada", n, "1"))
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), "ada"); err != nil || got.OrderCount < int64(n+1) {
			t.Errorf("after order %d: %+v, %v", n, got, err)
		}
	}
	cancelled := eur(t, "ada", 5, "1")
	cancelled.Completed = false
	mustRecord(t, s, cancelled)
	if err := s.WaitFor(t.Context(), "ada", "ada-5"); err != nil {
		t.Errorf("a cancelled order: %v", err)
	}
}

func givesUpWaiting(t *testing.T, db *database.DB) {
	s := New(db, 1)
	s.wait = 20 * time.Millisecond
	mustRecord(t, s, eur(t, "bob", 1, "1"))
	for _, order := range []string{"ada-1", "bob-1"} { // nobody's, and another's
		if err := s.WaitFor(t.Context(), "ada", order); !errors.Is(err, ErrBehind) {
			t.Errorf("order %s: %v, want %v", order, err, ErrBehind)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.WaitFor(ctx, "bob", "bob-1"); err == nil {
		t.Error("a request that has ended was answered")
	}
}

func exec(t *testing.T, db *database.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func rebuilds(t *testing.T, db *database.DB) {
	s := New(db, 1)
	var want []Summary
	for user := range 30 {
		name := fmt.Sprint("user", user)
		for n := range 4 {
			mustRecord(t, s, eur(t, name, n, "1.25"))
		}
		summary, err := s.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, summary)
	}
	// A mistake of the code before: sums are wrong, one is missing, and one is of nobody.
	exec(t, db, "UPDATE summaries SET order_count = 99, last_order_at = NULL")
	exec(t, db, "UPDATE summary_totals SET amount = '0', currency = 'USD'")
	exec(t, db, "DELETE FROM summary_totals WHERE user_id = 'user7'")
	exec(t, db, "DELETE FROM summaries WHERE user_id = 'user7'")
	exec(t, db, "INSERT INTO summaries (user_id, version, order_count, generation) VALUES ('ghost', 3, 3, 1)")
	exec(t, db, "INSERT INTO summary_totals (user_id, currency, amount) VALUES ('ghost', 'EUR', '5')")
	if n, err := New(db, 1).Rebuild(t.Context()); n != 0 || err != nil {
		t.Errorf("the same generation: %d, %v", n, err)
	}
	if n, err := New(db, 2).Rebuild(t.Context()); n != 31 || err != nil {
		t.Errorf("the next generation: %d, %v", n, err)
	}
	for _, summary := range want {
		wantSummary(t, s, summary)
	}
	wantSummary(t, s, Summary{UserID: "ghost"})
}

func rebuildsOnce(t *testing.T, db *database.DB) {
	mustRecord(t, New(db, 1), eur(t, "ada", 1, "1"), eur(t, "bob", 1, "1"))
	var made atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			n, err := New(db, 2).Rebuild(context.Background())
			if err != nil {
				t.Error(err)
			}
			made.Add(int64(n))
		})
	}
	group.Wait()
	if made.Load() != 2 {
		t.Errorf("made %d summaries, want 2", made.Load())
	}
}

// Each order is of 1 EUR, so a summary that is whole has as many EUR as orders.
func rebuildsLive(t *testing.T, db *database.DB) {
	s := New(db, 1)
	users := []string{"ada", "bob", "eve"}
	for _, user := range users {
		for n := range 40 {
			mustRecord(t, s, eur(t, user, n, "1"))
		}
	}
	stop := make(chan struct{})
	var group sync.WaitGroup
	var reads, writes atomic.Int64
	until := func(work func(n int) error) {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := work(n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	until(func(n int) error {
		writes.Add(1)
		return record(New(db, 9), eur(t, users[n%3], 40+n/3, "1"))
	})
	last := map[string]int64{}
	until(func(n int) error {
		got, err := s.Get(context.Background(), users[n%3])
		if err != nil {
			return err
		}
		if got.OrderCount < last[got.UserID] || len(got.Totals) != 1 || !got.Totals[0].Equal(worth(t, fmt.Sprint(got.OrderCount), "EUR")) {
			return fmt.Errorf("saw %+v after %d orders", got, last[got.UserID])
		}
		last[got.UserID] = got.OrderCount
		reads.Add(1)
		return nil
	})
	for generation := range int64(5) {
		if n, err := New(db, generation+2).Rebuild(t.Context()); err != nil || n != 3 {
			t.Errorf("made %d, %v", n, err)
		}
	}
	close(stop)
	group.Wait()
	if reads.Load() == 0 || writes.Load() == 0 {
		t.Errorf("%d reads and %d writes meanwhile", reads.Load(), writes.Load())
	}
	var count int64
	for _, user := range users {
		summary, err := s.Get(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		count += summary.OrderCount
	}
	if want := 120 + writes.Load(); count != want {
		t.Errorf("%d orders are counted, want %d", count, want)
	}
}

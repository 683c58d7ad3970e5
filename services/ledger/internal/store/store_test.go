package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/ledger/internal/domain"
	"github.com/trellis-mesh/trellis/services/ledger/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// fixture is a store on a database of the test's own, with a clock that the test sets.
type fixture struct {
	*Store
	clock *atomic.Int64 // microseconds
}

// conformance checks what the store promises on every kind of database; open gives an empty one.
func conformance(t *testing.T, open func(*testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, fixture){
		"1000 + 500 - 200 is 1300, and was 1500 before":     textbook,
		"versions are the account's own":                    versions,
		"what happened is replayed from the events alone":   replays,
		"16 withdrawals at once take what there is":         withdrawals,
		"what keeping refuses was never booked":             undoes,
		"an event of the first version counts":              upcasts,
		"a snapshot saves events, and none is needed":       snapshots,
		"a read model is rebuilt while it is read":          rebuilds,
		"a reader waits for what was booked":                awaits,
		"balances are listed by id":                         lists,
		"an account that there is not, or was not, is none": unknowns,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			for _, tables := range []fs.FS{migrations.FS, eventstore.Migrations()} {
				if err := database.Migrate(t.Context(), db, tables); err != nil {
					t.Fatal(err)
				}
			}
			f := fixture{clock: &atomic.Int64{}}
			f.clock.Store(start.UnixMicro())
			f.Store = another(t, db, f.clock)
			test(t, f)
		})
	}
}

// another is a store of another replica.
func another(t *testing.T, db *database.DB, clock *atomic.Int64) *Store {
	t.Helper()
	s, err := New(db, Options{
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.UnixMicro(clock.Load()) },
		Projector: eventstore.ProjectorOptions{Batch: 7, Poll: 5 * time.Millisecond, Grace: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func (f fixture) tick() { f.clock.Add(time.Minute.Microseconds()) }

func eur(t testing.TB, amount string) money.Money {
	t.Helper()
	m, err := money.New(amount, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ignore(context.Context, bun.Tx, Account) error { return nil }

func (f fixture) opens(t *testing.T, id, amount string) {
	t.Helper()
	event, err := domain.Open("ada", eur(t, amount))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Create(t.Context(), id, event, ignore); err != nil {
		t.Fatal(err)
	}
}

func depositing(t testing.TB, amount string) Decide {
	sum := eur(t, amount)
	return func(a domain.Account) (domain.Event, error) { return a.Deposit(sum, "salary") }
}

func withdrawing(t testing.TB, amount string) Decide {
	sum := eur(t, amount)
	return func(a domain.Account) (domain.Event, error) { return a.Withdraw(sum, "rent") }
}

// books changes an account and gives it as keeping it saw it.
func (f fixture) books(t *testing.T, id string, decide Decide) (changed Account) {
	t.Helper()
	err := f.Change(t.Context(), id, decide, func(_ context.Context, _ bun.Tx, a Account) error {
		changed = a
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func (f fixture) get(t *testing.T, id string, at time.Time) Account {
	t.Helper()
	a, err := f.Get(t.Context(), id, at)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (f fixture) catchUp(t *testing.T) {
	t.Helper()
	if err := f.Projector().CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (f fixture) execute(t *testing.T, statement string, args ...any) int64 {
	t.Helper()
	result, err := f.db.ExecContext(t.Context(), statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// line is a booking as a test writes it down.
func (b Booking) line() string {
	return fmt.Sprintf("%d %s %s -> %s %q %s", b.Version, b.Kind, b.Amount, b.Balance, b.Text, b.At.Format(time.TimeOnly))
}

func (f fixture) statementOf(t *testing.T, id string) (lines []string) {
	t.Helper()
	bookings, err := f.Bookings(t.Context(), id, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bookings {
		lines = append(lines, b.line())
	}
	return lines
}

func (f fixture) balanceOf(t *testing.T, id string) string {
	t.Helper()
	balances, err := f.Balances(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range balances {
		if b.ID == id {
			return b.Balance.String()
		}
	}
	return ""
}

// history is 1000 + 500 - 200, a minute apart.
func (f fixture) history(t *testing.T, id string) (last Account) {
	t.Helper()
	f.opens(t, id, "1000")
	f.tick()
	f.books(t, id, depositing(t, "500"))
	f.tick()
	return f.books(t, id, withdrawing(t, "200"))
}

func textbook(t *testing.T, f fixture) {
	last := f.history(t, "a")
	want := Account{ID: "a", Account: domain.Account{Owner: "ada", Balance: eur(t, "1300")}, Version: 3, OpenedAt: start}
	if last != want {
		t.Errorf("changed to %+v, want %+v", last, want)
	}
	if got := f.get(t, "a", time.Time{}); got != want {
		t.Errorf("it is %+v, want %+v", got, want)
	}
	for _, then := range []struct {
		at      time.Time
		balance string
		version int64
	}{
		{start, "1000", 1},
		{start.Add(time.Minute - time.Microsecond), "1000", 1},
		{start.Add(time.Minute), "1500", 2},
		{start.Add(2*time.Minute - time.Microsecond), "1500", 2},
		{start.Add(2 * time.Minute), "1300", 3},
		{start.Add(time.Hour), "1300", 3},
	} {
		got := f.get(t, "a", then.at)
		if !got.Balance.Equal(eur(t, then.balance)) || got.Version != then.version || !got.OpenedAt.Equal(start) {
			t.Errorf("at %s it was %+v, want %s at version %d", then.at, got, then.balance, then.version)
		}
	}
	err := f.Change(t.Context(), "a", withdrawing(t, "1300.01"), ignore)
	if !errors.Is(err, domain.ErrInsufficient) {
		t.Errorf("a cent too much: error %v", err)
	}
	f.catchUp(t)
	if diff := cmp.Diff([]string{
		`3 withdrawn 200 EUR -> 1300 EUR "rent" 03:06:05`,
		`2 deposited 500 EUR -> 1500 EUR "salary" 03:05:05`,
		`1 opened 1000 EUR -> 1000 EUR "" 03:04:05`,
	}, f.statementOf(t, "a")); diff != "" {
		t.Error(diff)
	}
	if got := f.balanceOf(t, "a"); got != "1300 EUR" {
		t.Errorf("the balance is %q", got)
	}
}

func versions(t *testing.T, f fixture) {
	f.opens(t, "a", "1")
	f.opens(t, "b", "1")
	f.books(t, "b", depositing(t, "1"))
	if got := f.books(t, "a", depositing(t, "1")); got.Version != 2 {
		t.Errorf("version %d, want 2", got.Version)
	}
}

// replays throws away everything but the events.
func replays(t *testing.T, f fixture) {
	f.history(t, "a")
	f.catchUp(t)
	statement := f.statementOf(t, "a")
	for _, table := range []string{"balances", "bookings", "eventstore_snapshot", "eventstore_projection"} {
		f.execute(t, "DELETE FROM "+table)
	}
	fresh := fixture{Store: another(t, f.db, f.clock), clock: f.clock}
	if got := fresh.get(t, "a", time.Time{}); !got.Balance.Equal(eur(t, "1300")) || got.Version != 3 {
		t.Errorf("replayed %+v", got)
	}
	fresh.catchUp(t)
	if diff := cmp.Diff(statement, fresh.statementOf(t, "a")); diff != "" || len(statement) != 3 {
		t.Errorf("the statement is another: %s", diff)
	}
	if got := fresh.balanceOf(t, "a"); got != "1300 EUR" {
		t.Errorf("the balance is %q", got)
	}
}

func withdrawals(t *testing.T, f fixture) {
	f.opens(t, "a", "1000")
	replicas := []*Store{f.Store, another(t, f.db, f.clock)}
	var group sync.WaitGroup
	var booked, refused atomic.Int32
	for i := range 16 {
		group.Go(func() {
			switch err := replicas[i%2].Change(t.Context(), "a", withdrawing(t, "100"), ignore); {
			case err == nil:
				booked.Add(1)
			case errors.Is(err, domain.ErrInsufficient):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if booked.Load() != 10 || refused.Load() != 6 {
		t.Errorf("%d were booked and %d refused, want 10 and 6", booked.Load(), refused.Load())
	}
	if got := f.get(t, "a", time.Time{}); !got.Balance.IsZero() || got.Version != 11 {
		t.Errorf("it is %+v", got)
	}
}

func undoes(t *testing.T, f fixture) {
	f.opens(t, "a", "1000")
	made := errors.New("made")
	refuses := func(context.Context, bun.Tx, Account) error { return made }
	if err := f.Change(t.Context(), "a", depositing(t, "1"), refuses); !errors.Is(err, made) {
		t.Errorf("error %v", err)
	}
	event, err := domain.Open("bob", eur(t, "1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Create(t.Context(), "b", event, refuses); !errors.Is(err, made) {
		t.Errorf("error %v", err)
	}
	if got := f.get(t, "a", time.Time{}); got.Version != 1 {
		t.Errorf("it is %+v", got)
	}
	if _, err := f.Get(t.Context(), "b", time.Time{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	f.catchUp(t)
	if got := f.statementOf(t, "a"); len(got) != 1 {
		t.Errorf("the statement has %v", got)
	}
}

// upcasts puts a deposit of the first version among the events, as an older release left it.
func upcasts(t *testing.T, f fixture) {
	f.history(t, "a")
	n := f.execute(t, "UPDATE eventstore_event SET schema = 1, data = ? WHERE type = 'money.deposited'", `{"amount": "500", "currency": "EUR"}`)
	if n != 1 {
		t.Fatalf("%d events are of the first version", n)
	}
	if got := f.get(t, "a", time.Time{}); !got.Balance.Equal(eur(t, "1300")) {
		t.Errorf("it is %+v", got)
	}
	f.catchUp(t)
	if got := f.statementOf(t, "a"); len(got) != 3 || got[1] != `2 deposited 500 EUR -> 1500 EUR "" 03:05:05` {
		t.Errorf("the statement has %q", got)
	}
}

func snapshots(t *testing.T, f fixture) {
	f.opens(t, "a", "1000")
	for range snapshotEvery {
		f.books(t, "a", depositing(t, "0.01"))
	}
	var version int64
	err := f.db.NewSelect().Table("eventstore_snapshot").Column("version").Where("stream = ?", "account-a").Scan(t.Context(), &version)
	if err != nil || version < snapshotEvery {
		t.Fatalf("a snapshot at version %d, %v", version, err)
	}
	f.books(t, "a", depositing(t, "0.01"))
	want := Account{ID: "a", Account: domain.Account{Owner: "ada", Balance: eur(t, "1000.51")}, Version: snapshotEvery + 2, OpenedAt: start}
	// That it is used shows where an event before it is out of reach.
	f.execute(t, "UPDATE eventstore_event SET data = '{' WHERE stream = 'account-a' AND version = 2")
	if got := f.get(t, "a", time.Time{}); got != want {
		t.Errorf("it is %+v, want %+v", got, want)
	}
	f.execute(t, "UPDATE eventstore_event SET data = ? WHERE stream = 'account-a' AND version = 2",
		`{"amount": {"amount": "0.01", "currency": "EUR"}, "text": "salary"}`)
	f.execute(t, "UPDATE eventstore_snapshot SET state = ?", `{"Owner": "eve", "Amount": "1000000", "Currency": "EUR"}`)
	if got := f.get(t, "a", time.Time{}); got != want {
		t.Errorf("with a damaged snapshot it is %+v, want %+v", got, want)
	}
}

// rebuilds damages a read model, as a fault in a program would, and mends it while it is read and written.
func rebuilds(t *testing.T, f fixture) {
	f.opens(t, "a", "1000")
	for range 20 {
		f.books(t, "a", depositing(t, "1"))
	}
	f.catchUp(t)
	if n := f.execute(t, "UPDATE balances SET amount = '7'"); n != 1 {
		t.Fatalf("%d balances", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() {
		if err := f.Projector().Run(ctx); err != nil {
			t.Error(err)
		}
	})
	var reads atomic.Int64
	group.Go(func() { // a reader never finds less than all accounts, nor a statement with a hole
		for ; ctx.Err() == nil; reads.Add(1) {
			bookings, err := f.Bookings(context.WithoutCancel(ctx), "a", 1000)
			if err != nil || len(bookings) < 21 || bookings[0].Version != int64(len(bookings)) {
				t.Errorf("read %d bookings, %v", len(bookings), err)
				return
			}
		}
	})
	for _, name := range []string{Balances, Statement} {
		if _, err := f.Projector().Rebuild(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		f.books(t, "a", depositing(t, "1"))
	}
	eventually(t, "both are rebuilt", func() bool {
		all, err := f.Projector().Status(t.Context())
		return err == nil && len(all) == 2 && all[0].Generation == 2 && all[0].Live && all[1].Generation == 2 && all[1].Live
	})
	eventually(t, "they are up to date", func() bool {
		return f.balanceOf(t, "a") == "1030 EUR" && len(f.statementOf(t, "a")) == 31
	})
	eventually(t, "they are read meanwhile", func() bool { return reads.Load() > 3 })
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within 30 s: %s", what)
		case <-again.C:
		}
	}
}

func awaits(t *testing.T, f fixture) {
	f.history(t, "a")
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Await(short, "a", 3); !errors.Is(err, ErrNotYet) {
		t.Errorf("nobody builds the statement: error %v", err)
	}
	f.catchUp(t)
	if err := f.Await(t.Context(), "a", 3); err != nil {
		t.Error(err)
	}
	f.books(t, "a", depositing(t, "1"))
	late, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Await(late, "a", 4); !errors.Is(err, ErrNotYet) {
		t.Errorf("the statement has not seen version 4: error %v", err)
	}
	for id, version := range map[string]int64{"a": 5, "b": 1} {
		if err := f.Await(t.Context(), id, version); !errors.Is(err, ErrVersion) {
			t.Errorf("version %d of %s: error %v", version, id, err)
		}
	}
}

func lists(t *testing.T, f fixture) {
	for _, id := range []string{"3", "1", "4", "2"} {
		f.opens(t, id, "12.50")
	}
	f.catchUp(t)
	balances, err := f.Balances(t.Context(), "1", 2)
	if err != nil {
		t.Fatal(err)
	}
	want := domain.Account{Owner: "ada", Balance: eur(t, "12.50")}
	if len(balances) != 2 || balances[0] != (Balance{"2", want}) || balances[1] != (Balance{"3", want}) {
		t.Errorf("listed %+v", balances)
	}
}

func unknowns(t *testing.T, f fixture) {
	f.opens(t, "a", "1")
	_, unknown := f.Get(t.Context(), "x", time.Time{})
	_, early := f.Get(t.Context(), "a", start.Add(-time.Microsecond))
	change := f.Change(t.Context(), "x", depositing(t, "1"), ignore)
	for name, err := range map[string]error{"get": unknown, "get of before": early, "change": change} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

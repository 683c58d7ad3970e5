package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
)

// conformance checks what the store promises; open gives a new database with its tables in it.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, db *database.DB){
		"1000 + 500 - 200 is 1300, and was 1500 before":            textbook,
		"each stream has versions of its own":                      versionsOfTheirOwn,
		"an append on another version is refused":                  refusedAppend,
		"a refused append leaves its transaction usable":           refusedInTransaction,
		"a rollback leaves no event and no gap":                    rollbackLeavesNothing,
		"16 writers of one stream take each version once":          manyWriters,
		"16 updates of one aggregate lose nothing":                 manyUpdates,
		"appends to several streams in a transaction do not block": severalStreams,
		"a command that comes again appends once":                  commandOnce,
		"a command that comes twice at a time appends once":        commandConcurrently,
		"a stream's time does not go back":                         timeGoesForward,
		"what cannot be appended is refused":                       invalidAppend,
		"create and update know whether there is an aggregate":     createAndUpdate,
		"an update ends after its attempts":                        attemptsEnd,
		"a missing event is not passed over":                       missingEvent,
		"the request's trace and ids go with the event":            metadataGoesOn,
		"a snapshot saves reading":                                 snapshotSaves,
		"a snapshot that is not sound is ignored":                  snapshotIgnored,
		"a state that JSON loses is not kept":                      snapshotRefused,
		"old events are read in their new shape":                   upcasting,
		"an unknown type is named":                                 unknownType,
		"a late commit is not skipped":                             lateCommit,
		"projectors of several replicas handle each event once":    severalReplicas,
		"an event that fails stops only its projection":            poison,
		"a panic is a failure":                                     panicking,
		"a failing event is skipped on demand only":                skipping,
		"a rebuild mends a projection that stands still":           rebuildMends,
		"readers see whole models while one is rebuilt":            rebuildUnderWrites,
		"a rebuild begun again leaves nothing of the first":        rebuildAgain,
		"a projection of some types passes the others":             someTypes,
		"a writer can wait to read what it wrote":                  waitFor,
		"metrics tell how far projections are":                     metricsTell,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, eventstore.Migrations()) })
}

// The events of an account; amounts in cents.
type (
	opened    struct{ Initial int64 }
	deposited struct{ Amount int64 }
	withdrawn struct{ Amount int64 }
)

type account struct {
	Opened  bool
	Balance int64
}

var errFunds = errors.New("insufficient funds")

func (a *account) withdraw(amount int64) ([]any, error) {
	if amount > a.Balance {
		return nil, errFunds
	}
	return []any{withdrawn{amount}}, nil
}

func apply(a *account, e eventstore.Recorded) error {
	switch data := e.Data.(type) {
	case opened:
		a.Opened, a.Balance = true, data.Initial
	case deposited:
		a.Balance += data.Amount
	case withdrawn:
		a.Balance -= data.Amount
	default:
		return fmt.Errorf("an account has no %T", data)
	}
	return nil
}

func accountTypes() *eventstore.Types {
	types := eventstore.NewTypes()
	eventstore.Define[opened](types, "account.opened", 1)
	eventstore.Define[deposited](types, "money.deposited", 1)
	eventstore.Define[withdrawn](types, "money.withdrawn", 1)
	return types
}

var quiet = slog.New(slog.DiscardHandler)

func newStore(t testing.TB, db *database.DB, change ...func(*eventstore.Options)) *eventstore.Store {
	t.Helper()
	opt := eventstore.Options{Log: quiet}
	for _, c := range change {
		c(&opt)
	}
	store, err := eventstore.New(db, accountTypes(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func newAccounts(t testing.TB, store *eventstore.Store, change ...func(*eventstore.Aggregate[account])) *eventstore.Repository[account] {
	t.Helper()
	kind := eventstore.Aggregate[account]{Name: "account", Apply: apply}
	for _, c := range change {
		c(&kind)
	}
	accounts, err := eventstore.NewRepository(store, kind)
	if err != nil {
		t.Fatal(err)
	}
	return accounts
}

// always gives an update that appends the events.
func always(events ...any) func(*account) ([]any, error) {
	return func(*account) ([]any, error) { return events, nil }
}

func mustAppend(t testing.TB, store *eventstore.Store, stream string, expected int64, events ...any) eventstore.Commit {
	t.Helper()
	commit, err := store.Append(t.Context(), stream, expected, events...)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

// must gives the value of a call that must succeed.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func execute(t testing.TB, db *database.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// balancesTable is what the projection "balances" writes: a sum a stream, and how many events made it.
const balancesTable = `CREATE TABLE balances (
	generation BIGINT NOT NULL, stream TEXT NOT NULL, balance BIGINT NOT NULL, events BIGINT NOT NULL, position BIGINT NOT NULL,
	PRIMARY KEY (generation, stream))`

func balances(name string) eventstore.Projection {
	return eventstore.Projection{
		Name: name,
		Handle: func(ctx context.Context, tx eventstore.Tx, e eventstore.Recorded) error {
			var a account
			if err := apply(&a, e); err != nil {
				return err
			}
			// Out of order or twice fails: position must grow and version must follow.
			_, err := tx.ExecContext(ctx, `INSERT INTO balances (generation, stream, balance, events, position) VALUES (?, ?, ?, 1, ?)
				ON CONFLICT (generation, stream) DO UPDATE SET balance = balances.balance + EXCLUDED.balance,
				events = balances.events + 1, position = EXCLUDED.position`, tx.Generation, e.Stream, a.Balance, e.Position)
			if err != nil {
				return err
			}
			var row struct{ Events int64 }
			err = tx.NewSelect().Table("balances").Column("events").Where("generation = ?", tx.Generation).Where("stream = ?", e.Stream).Scan(ctx, &row)
			if err == nil && row.Events != e.Version {
				err = fmt.Errorf("version %d of %s is the %dth event handled", e.Version, e.Stream, row.Events)
			}
			return err
		},
		Drop: func(ctx context.Context, tx eventstore.Tx) error {
			_, err := tx.ExecContext(ctx, "DELETE FROM balances WHERE generation = ?", tx.Generation)
			return err
		},
	}
}

func newProjector(t testing.TB, store *eventstore.Store, projections ...eventstore.Projection) *eventstore.Projector {
	t.Helper()
	p, err := eventstore.NewProjector(store, eventstore.ProjectorOptions{
		Batch: 7, Poll: 5 * time.Millisecond, Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond, Grace: -1,
	}, projections...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func catchUp(t testing.TB, p *eventstore.Projector) {
	t.Helper()
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// run has the projector work until the test ends or stop is called.
func run(t testing.TB, p *eventstore.Projector) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

type balanceRow struct {
	Stream   string
	Balance  int64
	Events   int64
	Position int64
}

// readBalances gives the live model, as a reader sees it.
func readBalances(t testing.TB, db *database.DB, projection string) map[string]balanceRow {
	t.Helper()
	var rows []balanceRow
	err := db.NewSelect().Table("balances").Column("stream", "balance", "events", "position").
		Where("generation = (?)", eventstore.Live(projection)).Scan(context.Background(), &rows)
	if err != nil {
		t.Fatal(err)
	}
	byStream := map[string]balanceRow{}
	for _, r := range rows {
		byStream[r.Stream] = r
	}
	return byStream
}

func status(t testing.TB, p *eventstore.Projector) []eventstore.Status {
	t.Helper()
	return must[[]eventstore.Status](t)(p.Status(t.Context()))
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 30s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

var errMade = errors.New("made by the test")

// clock is a time that the test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newClock() *clock { return &clock{now: noon} }

func openURL(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), url, database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := database.Migrate(context.Background(), db, eventstore.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}

func inTx(t testing.TB, db *database.DB, fn func(ctx context.Context, tx bun.Tx) error) {
	t.Helper()
	if err := db.InTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

package twophase_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/test/soak"
)

// maker makes a participant whose effect is a row in the table effects, or refuses when refuse says so.
type maker func(db *database.DB, name string, refuse func(txn string) error, ask twophase.Ask, opt twophase.LocalOptions) (*twophase.Local[cart], error)

// localConformance checks what a participant in the service's own database promises.
func localConformance(t *testing.T, open func(t *testing.T) *database.DB, mk maker) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *local){
		"prepared and committed":                        localCommits,
		"prepared and aborted":                          localAborts,
		"each call twice":                               localTwice,
		"a vote of no leaves nothing":                   localRefuses,
		"a prepare after the abort is refused":          localLatePrepare,
		"what was decided cannot be turned":             localNoTurning,
		"names that cannot be":                          localNames,
		"calls at the same time end in one way":         localRaces,
		"a participant in doubt asks and is brought on": localRecovers,
		"two participants in one database":              localApart,
		"what is over is forgotten in the end":          localForgets,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if _, err := db.ExecContext(t.Context(), effectsTable); err != nil {
				t.Fatal(err)
			}
			l := &local{db: db, answers: map[string]twophase.Decision{}, make: mk, opt: localOptions()}
			l.Local = l.open(t, "inventory")
			test(t, l)
		})
	}
}

const effectsTable = "CREATE TABLE effects (participant TEXT NOT NULL, txn TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (participant, txn))"

func TestTentativeOnSQLiteConforms(t *testing.T) {
	localConformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, twophase.Migrations()) }, makeTentative)
}

func makeTentative(db *database.DB, name string, refuse func(string) error, ask twophase.Ask, opt twophase.LocalOptions) (*twophase.Local[cart], error) {
	set := func(state string) func(context.Context, bun.Tx, string, cart) error {
		return func(ctx context.Context, tx bun.Tx, txn string, data cart) error {
			if data.Items != 1 {
				return fmt.Errorf("the data are %+v", data)
			}
			result, err := tx.ExecContext(ctx, "UPDATE effects SET state = ? WHERE participant = ? AND txn = ? AND state = 'held'", state, name, txn)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n != 1 {
				return fmt.Errorf("%d rows were held, %w", n, err)
			}
			return nil
		}
	}
	return twophase.Tentative(db, name, twophase.Work[cart]{
		Prepare: func(ctx context.Context, tx bun.Tx, txn string, _ cart) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO effects VALUES (?, ?, 'held')", name, txn); err != nil {
				return err
			}
			return refuse(txn)
		},
		Confirm: set("done"), Cancel: set("cancelled"),
	}, ask, opt)
}

func localOptions() twophase.LocalOptions {
	return twophase.LocalOptions{InDoubt: 50 * time.Millisecond, Every: 10 * time.Millisecond, Log: testLog()}
}

// local is a participant under test; refuse and answers are what its work and its coordinator say.
type local struct {
	*twophase.Local[cart]
	db   *database.DB
	make maker
	opt  twophase.LocalOptions

	mu      sync.Mutex
	refusal error
	answers map[string]twophase.Decision
	asked   int
}

func (l *local) open(t *testing.T, name string) *twophase.Local[cart] {
	t.Helper()
	made, err := l.make(l.db, name, func(string) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.refusal
	}, func(_ context.Context, txn string) (twophase.Decision, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked++
		if l.answers[txn] == "" {
			return "", errMade
		}
		return l.answers[txn], nil
	}, l.opt)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (l *local) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = err
}

func (l *local) answer(txn string, decision twophase.Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[txn] = decision
}

// want wants this many final effects of a transaction, and none that is held.
func (l *local) want(t *testing.T, txn string, n int) {
	t.Helper()
	var states []string
	if err := l.db.NewSelect().Table("effects").Column("state").Where("txn = ?", txn).Where("state <> 'cancelled'").Scan(t.Context(), &states); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, state := range states {
		if state == "done" {
			done++
		}
	}
	if done != n || len(states) != n {
		t.Errorf("%s has the effects %q, want %d done", txn, states, n)
	}
}

func (l *local) must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

var oneItem = cart{Items: 1}

func localCommits(t *testing.T, l *local) {
	l.must(t, "prepare", l.Prepare(t.Context(), "c/1", oneItem))
	var done int
	if err := l.db.NewSelect().Table("effects").ColumnExpr("COUNT(*)").Where("state = 'done'").Scan(t.Context(), &done); err != nil || done != 0 {
		t.Errorf("%d effects are seen before the commit, %v", done, err)
	}
	l.must(t, "commit", l.Commit(t.Context(), "c/1"))
	l.want(t, "c/1", 1)
}

func localAborts(t *testing.T, l *local) {
	l.must(t, "prepare", l.Prepare(t.Context(), "c/1", oneItem))
	l.must(t, "abort", l.Abort(t.Context(), "c/1"))
	l.want(t, "c/1", 0)
}

func localTwice(t *testing.T, l *local) {
	for range 2 {
		l.must(t, "prepare", l.Prepare(t.Context(), "c/1", oneItem))
	}
	for range 2 {
		l.must(t, "commit", l.Commit(t.Context(), "c/1"))
		l.must(t, "prepare after the commit", l.Prepare(t.Context(), "c/1", oneItem))
	}
	l.want(t, "c/1", 1)
	l.must(t, "prepare", l.Prepare(t.Context(), "c/2", oneItem))
	for range 2 {
		l.must(t, "abort", l.Abort(t.Context(), "c/2"))
	}
	l.want(t, "c/2", 0)
}

func localRefuses(t *testing.T, l *local) {
	for _, refusal := range []error{errMade, twophase.Refused(errMade)} {
		l.refuse(refusal)
		if err := l.Prepare(t.Context(), "c/1", oneItem); !errors.Is(err, errMade) || twophase.IsRefused(err) != twophase.IsRefused(refusal) {
			t.Errorf("got %v", err)
		}
		l.want(t, "c/1", 0)
		if err := l.Commit(t.Context(), "c/1"); !errors.Is(err, twophase.ErrNotFound) {
			t.Errorf("commit of what is not prepared: %v", err)
		}
	}
	l.refuse(nil)
	l.must(t, "prepare again", l.Prepare(t.Context(), "c/1", oneItem))
	l.must(t, "commit", l.Commit(t.Context(), "c/1"))
	l.want(t, "c/1", 1)
}

func localLatePrepare(t *testing.T, l *local) {
	l.must(t, "abort of what is not known", l.Abort(t.Context(), "c/1"))
	if err := l.Prepare(t.Context(), "c/1", oneItem); !twophase.IsRefused(err) || !errors.Is(err, twophase.ErrAborted) {
		t.Errorf("got %v", err)
	}
	l.must(t, "abort again", l.Abort(t.Context(), "c/1"))
	l.want(t, "c/1", 0)
}

func localNoTurning(t *testing.T, l *local) {
	l.must(t, "prepare", l.Prepare(t.Context(), "c/1", oneItem))
	l.must(t, "commit", l.Commit(t.Context(), "c/1"))
	if err := l.Abort(t.Context(), "c/1"); !errors.Is(err, twophase.ErrCommitted) {
		t.Errorf("abort after the commit: %v", err)
	}
	l.want(t, "c/1", 1)
	l.must(t, "prepare", l.Prepare(t.Context(), "c/2", oneItem))
	l.must(t, "abort", l.Abort(t.Context(), "c/2"))
	if err := l.Commit(t.Context(), "c/2"); !errors.Is(err, twophase.ErrAborted) {
		t.Errorf("commit after the abort: %v", err)
	}
	l.want(t, "c/2", 0)
}

func localNames(t *testing.T, l *local) {
	long := make([]byte, 200)
	for i := range long {
		long[i] = 'x'
	}
	for _, txn := range []string{"", string(long)} {
		if err := l.Prepare(t.Context(), txn, oneItem); err == nil {
			t.Errorf("%q was prepared", txn)
		}
	}
	quoted := `c/it's "1" ?`
	l.must(t, "prepare", l.Prepare(t.Context(), quoted, oneItem))
	l.must(t, "commit", l.Commit(t.Context(), quoted))
	l.want(t, quoted, 1)
}

// localRaces has Prepare and Abort come at the same time: what Prepare says is what Commit finds.
func localRaces(t *testing.T, l *local) {
	for i := range soak.Rounds(t, 20) {
		txn := fmt.Sprint("c/", i)
		var group sync.WaitGroup
		votes := make([]error, 3)
		for n := range votes {
			group.Go(func() { votes[n] = l.Prepare(t.Context(), txn, oneItem) })
		}
		var aborted error
		if i%2 == 0 {
			group.Go(func() { aborted = l.Abort(t.Context(), txn) })
		}
		group.Wait()
		if i%2 == 0 {
			l.must(t, "abort", aborted)
			if err := l.Prepare(t.Context(), txn, oneItem); !twophase.IsRefused(err) {
				t.Errorf("prepare after the abort: %v", err)
			}
			l.want(t, txn, 0)
			continue
		}
		l.must(t, "prepare", errors.Join(votes...))
		ends := make([]error, 2)
		for n := range ends {
			group.Go(func() { ends[n] = l.Commit(t.Context(), txn) })
		}
		group.Wait()
		l.must(t, "commit", errors.Join(ends...))
		l.want(t, txn, 1)
	}
}

func localRecovers(t *testing.T, l *local) {
	for _, txn := range []string{"c/commit", "c/abort", "c/undecided", "c/unanswered"} {
		l.must(t, "prepare", l.Prepare(t.Context(), txn, oneItem))
	}
	l.answer("c/commit", twophase.Commit)
	l.answer("c/abort", twophase.Abort)
	l.answer("c/undecided", twophase.Undecided)
	l.must(t, "recover what is an hour old", l.Recover(t.Context(), time.Hour))
	if l.asked != 0 {
		t.Errorf("it asked after young ones %d times", l.asked)
	}
	if err := l.Recover(t.Context(), 0); !errors.Is(err, errMade) {
		t.Errorf("the coordinator that gives no answer went unnoticed: %v", err)
	}
	l.want(t, "c/commit", 1)
	l.want(t, "c/abort", 0)

	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for range 2 { // two replicas
		group.Go(func() { _ = l.Run(ctx) })
	}
	l.answer("c/undecided", twophase.Abort)
	l.answer("c/unanswered", twophase.Commit)
	eventually(t, "all are brought to their end", func() bool {
		n, err := l.db.NewSelect().Table("effects").Where("txn = 'c/unanswered' AND state = 'done'").Count(t.Context())
		return err == nil && n == 1
	})
	eventually(t, "none is in doubt", func() bool { return l.Recover(t.Context(), 0) == nil })
	l.want(t, "c/undecided", 0)
	l.want(t, "c/unanswered", 1)
}

func localApart(t *testing.T, l *local) {
	other := l.open(t, "payments")
	l.must(t, "prepare", l.Prepare(t.Context(), "c/1", oneItem))
	l.must(t, "prepare the other", other.Prepare(t.Context(), "c/1", oneItem))
	l.must(t, "abort", l.Abort(t.Context(), "c/1"))
	l.answer("c/1", twophase.Commit)
	l.must(t, "recover", l.Recover(t.Context(), 0)) // it has none in doubt, and sees not the other's
	l.must(t, "recover the other", other.Recover(t.Context(), 0))
	l.want(t, "c/1", 1)
}

func localForgets(t *testing.T, l *local) {
	l.opt.Retention = time.Nanosecond
	l.Local = l.open(t, "inventory")
	l.must(t, "prepare", l.Prepare(t.Context(), "c/over", oneItem))
	l.must(t, "commit", l.Commit(t.Context(), "c/over"))
	l.must(t, "prepare", l.Prepare(t.Context(), "c/doubt", oneItem))
	l.answer("c/doubt", twophase.Undecided)
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() { _ = l.Run(ctx) })
	eventually(t, "it is forgotten", func() bool {
		n, err := l.db.NewSelect().Table("twophase_vote").Where("txn = 'c/over'").Count(t.Context())
		return err == nil && n == 0
	})
	l.must(t, "commit what was in doubt", l.Commit(t.Context(), "c/doubt"))
	l.want(t, "c/doubt", 1)
}

func TestPreparedNeedsPostgres(t *testing.T) {
	db := databasetest.New(t, nil)
	_, err := twophase.Prepared(db, "inventory", func(context.Context, bun.Tx, string, cart) error { return nil },
		func(context.Context, string) (twophase.Decision, error) { return twophase.Abort, nil }, twophase.LocalOptions{})
	if err == nil {
		t.Error("a participant that prepares transactions was made on SQLite")
	}
}

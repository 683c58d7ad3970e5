package databasetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

var errMade = errors.New("made by the test")

func commits(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	err := db.InTx(t.Context(), func(_ context.Context, tx bun.Tx) error {
		insert(t, tx, "a")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantAccounts(t, db, "a")
}

func errorRollsBack(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	err := db.InTx(t.Context(), func(_ context.Context, tx bun.Tx) error {
		insert(t, tx, "a")
		return errMade
	})
	if !errors.Is(err, errMade) {
		t.Errorf("got %v, want the closure's own error", err)
	}
	wantAccounts(t, db)
}

func panicRollsBack(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v, want the closure's own panic", v)
			}
		}()
		_ = db.InTx(t.Context(), func(_ context.Context, tx bun.Tx) error {
			insert(t, tx, "a")
			panic("boom")
		})
	}()
	wantAccounts(t, db)
	commitsAgain(t, db)
}

func goexitRollsBack(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	var gone sync.WaitGroup
	gone.Go(func() {
		// A runtime.Goexit is what t.FailNow does inside a closure.
		_ = db.InTx(t.Context(), func(_ context.Context, tx bun.Tx) error {
			insert(t, tx, "a")
			goexit()
			return nil
		})
	})
	gone.Wait()
	wantAccounts(t, db)
	commitsAgain(t, db)
}

// commitsAgain shows that what went wrong before left no connection or lock taken.
func commitsAgain(t *testing.T, db *database.DB) {
	t.Helper()
	for range 30 {
		if err := db.InTx(t.Context(), func(context.Context, bun.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

func contextRollsBack(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.InTx(ctx, func(_ context.Context, tx bun.Tx) error {
		insert(t, tx, "a")
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	wantAccounts(t, db)
	commitsAgain(t, db)
}

func nestedCommits(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		insert(t, tx, "outer")
		return db.InTx(ctx, func(_ context.Context, tx bun.Tx) error {
			wantAccounts(t, tx, "outer")
			insert(t, tx, "inner")
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	wantAccounts(t, db, "inner", "outer")
}

func nestedError(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	var hooks []string
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		insert(t, tx, "outer")
		database.AfterCommit(ctx, func() { hooks = append(hooks, "outer") })
		err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			insert(t, tx, "inner")
			database.AfterCommit(ctx, func() { hooks = append(hooks, "inner") })
			_, err := tx.ExecContext(ctx, "SELECT nonsense")
			return err
		})
		if err == nil {
			t.Error("the nested error was lost")
		}
		insert(t, tx, "later")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantAccounts(t, db, "later", "outer")
	if diff := cmp.Diff([]string{"outer"}, hooks); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
}

func outerError(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	err := db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
		err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			insert(t, tx, "inner")
			database.AfterCommit(ctx, func() { t.Error("a hook ran for what was rolled back") })
			return nil
		})
		return errors.Join(err, errMade)
	})
	if !errors.Is(err, errMade) {
		t.Errorf("got %v, want the outer closure's error", err)
	}
	wantAccounts(t, db)
}

func hooksAfterCommit(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	var order []string
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		database.AfterCommit(ctx, func() {
			wantAccounts(t, db, "a") // seen from outside: it is committed
			order = append(order, "first")
		})
		database.AfterCommit(ctx, func() { order = append(order, "second") })
		order = append(order, "closure")
		insert(t, tx, "a")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"closure", "first", "second"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func hooksAfterRollback(t *testing.T, db *database.DB) {
	_ = db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
		database.AfterCommit(ctx, func() { t.Error("a hook ran after a rollback") })
		return errMade
	})
}

func hooksAfterFailedCommit(t *testing.T, db *database.DB) {
	exec(t, db, `CREATE TABLE parents (id TEXT PRIMARY KEY)`)
	exec(t, db, `CREATE TABLE children (id TEXT PRIMARY KEY, parent TEXT NOT NULL REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`)
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		database.AfterCommit(ctx, func() { t.Error("a hook ran though the commit failed") })
		exec(t, tx, `INSERT INTO children VALUES ('c', 'nobody')`)
		return nil
	})
	if err == nil {
		t.Error("the commit broke a deferred foreign key without an error")
	}
	commitsAgain(t, db)
}

func hookOutside(t *testing.T, _ *database.DB) {
	ran := false
	database.AfterCommit(t.Context(), func() { ran = true })
	if !ran {
		t.Error("the hook did not run")
	}
}

// noLostUpdate reads, adds one in Go and writes back, at the isolation that makes it safe.
func noLostUpdate(t *testing.T, db *database.DB) {
	withAccounts(t, db, "a")
	const workers, rounds = 4, 10
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range rounds {
				for addOne(t, db) != nil { // retries inside InTx are bounded, so a crowd may need another go
				}
			}
		})
	}
	group.Wait()
	if got := balance(t, db, "a"); got != workers*rounds {
		t.Errorf("balance is %d after %d increments", got, workers*rounds)
	}
}

func addOne(t *testing.T, db *database.DB) error {
	return db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if db.Kind() == database.Postgres {
			if _, err := tx.ExecContext(ctx, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"); err != nil {
				return err
			}
		}
		a := account{ID: "a"}
		if err := tx.NewSelect().Model(&a).WherePK().Scan(ctx); err != nil {
			return err
		}
		a.Balance++
		_, err := tx.NewUpdate().Model(&a).WherePK().Exec(ctx)
		return err
	})
}

func balance(t *testing.T, db *database.DB, id string) int64 {
	t.Helper()
	a := account{ID: id}
	if err := db.NewSelect().Model(&a).WherePK().Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a.Balance
}

// deadlock has two transactions change two rows in opposite order, each waiting until the other has changed its first.
func deadlock(t *testing.T, db *database.DB) {
	withAccounts(t, db, "a", "b")
	var group, met sync.WaitGroup
	met.Add(2)
	cross := func(first, second string) {
		tries := 0
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			tries++
			if err := credit(ctx, tx, first); err != nil {
				return err
			}
			if tries == 1 {
				met.Done()
				if db.Kind() == database.Postgres { // SQLite's writers never meet
					met.Wait()
				}
			}
			return credit(ctx, tx, second)
		})
		if err != nil {
			t.Error(err)
		}
	}
	group.Go(func() { cross("a", "b") })
	group.Go(func() { cross("b", "a") })
	group.Wait()
	if a, b := balance(t, db, "a"), balance(t, db, "b"); a != 2 || b != 2 {
		t.Errorf("balances are %d and %d, want 2 and 2", a, b)
	}
}

func credit(ctx context.Context, tx bun.IDB, id string) error {
	_, err := tx.NewUpdate().Model((*account)(nil)).Set("balance = balance + 1").Where("id = ?", id).Exec(ctx)
	return err
}

func boundedRetries(t *testing.T, db *database.DB) {
	tries := 0
	err := db.InTx(t.Context(), func(context.Context, bun.Tx) error {
		tries++
		return &pgconn.PgError{Code: "40001"}
	})
	if err == nil || tries != 5 {
		t.Errorf("ran %d times, error %v; want 5 times and the error", tries, err)
	}
}

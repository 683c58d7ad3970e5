package databasetest

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
)

func goexit() { runtime.Goexit() }

func lockHasOneHolder(t *testing.T, db *database.DB) {
	unlock, ok, err := db.TryLock(t.Context(), "job")
	if err != nil || !ok {
		t.Fatalf("a free lock: %v, %v", ok, err)
	}
	if _, ok, err := db.TryLock(t.Context(), "job"); err != nil || ok {
		t.Errorf("a held lock: %v, %v", ok, err)
	}
	if other, ok, err := db.TryLock(t.Context(), "another job"); err != nil || !ok {
		t.Errorf("a lock of another name: %v, %v", ok, err)
	} else {
		other()
	}
	unlock()
	unlock, ok, err = db.TryLock(t.Context(), "job")
	if err != nil || !ok {
		t.Fatalf("a lock that was given back: %v, %v", ok, err)
	}
	unlock()
}

func lockIsHandedOn(t *testing.T, db *database.DB) {
	inside := make(chan struct{}, 1)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			unlock, err := db.Lock(t.Context(), "job")
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			select {
			case inside <- struct{}{}:
				<-inside
			default:
				t.Error("two hold the lock")
			}
		})
	}
	group.Wait()
	unlock, err := db.Lock(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := db.Lock(ctx, "job"); err == nil {
		t.Error("a wait without end was not ended by its context")
	}
}

// files makes a file system; a name without a dot gets the number and ending of a migration.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

func mustMigrate(t *testing.T, db *database.DB, fsys fstest.MapFS) {
	t.Helper()
	if err := database.Migrate(t.Context(), db, fsys); err != nil {
		t.Fatal(err)
	}
}

func migrationsRunOnce(t *testing.T, db *database.DB) {
	first := files("2_second.up.sql", "INSERT INTO accounts (id, balance) VALUES ('a', 0); INSERT INTO accounts (id, balance) VALUES ('b', 0)",
		"1_first.up.sql", accountsTable, "1_first.down.sql", "DROP TABLE accounts", "README.md", "not a migration")
	mustMigrate(t, db, first)
	mustMigrate(t, db, first)
	wantAccounts(t, db, "a", "b")
	first["3_third.up.sql"] = &fstest.MapFile{Data: []byte("INSERT INTO accounts (id, balance) VALUES ('c', 0)")}
	mustMigrate(t, db, first)
	mustMigrate(t, db, first)
	wantAccounts(t, db, "a", "b", "c")
}

func migrationFailsHalfWay(t *testing.T, db *database.DB) {
	fsys := files("1_accounts.up.sql", accountsTable,
		"2_half.up.sql", "CREATE TABLE half (id TEXT);\nINSERT INTO accounts (id, balance) VALUES ('a', 0);\n--bun:split\nINSERT INTO nowhere VALUES (1)",
		"3_never.up.sql", "INSERT INTO accounts (id, balance) VALUES ('never', 0)")
	err := database.Migrate(t.Context(), db, fsys)
	if err == nil || !strings.Contains(err.Error(), "2_half.up.sql") {
		t.Fatalf("got %v, want an error that names the file", err)
	}
	wantAccounts(t, db)
	fsys["2_half.up.sql"].Data = []byte("CREATE TABLE half (id TEXT);\nINSERT INTO accounts (id, balance) VALUES ('a', 0)")
	mustMigrate(t, db, fsys)
	wantAccounts(t, db, "a", "never")
}

func parallelMigrators(t *testing.T, db *database.DB) {
	fsys := files("1_accounts.up.sql", accountsTable,
		"2_row.up.sql", "INSERT INTO accounts (id, balance) VALUES ('a', 0)",
		"3_change.up.sql", "UPDATE accounts SET balance = balance + 1")
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			if err := database.Migrate(t.Context(), db, fsys); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := balance(t, db, "a"); got != 1 {
		t.Errorf("a migration ran %d times", got)
	}
}

func migrationWithoutTransaction(t *testing.T, db *database.DB) {
	index := map[string]string{
		database.Postgres: "CREATE INDEX CONCURRENTLY accounts_note ON accounts (note)",
		database.SQLite:   "PRAGMA journal_mode", // refused inside a transaction when it changes anything
	}[db.Kind()]
	mustMigrate(t, db, files("1_accounts.up.sql", accountsTable,
		"2_index.up.sql", "-- no transaction\n"+index+";\n--bun:split\nINSERT INTO accounts (id, balance) VALUES ('a', 0)"))
	wantAccounts(t, db, "a")
}

func migrationForOneKind(t *testing.T, db *database.DB) {
	mustMigrate(t, db, files("1_accounts.up.sql", accountsTable,
		"postgres/2_kind.up.sql", "INSERT INTO accounts (id, balance) VALUES ('postgres', 0)",
		"sqlite/2_kind.up.sql", "INSERT INTO accounts (id, balance) VALUES ('sqlite', 0)"))
	wantAccounts(t, db, db.Kind())
}

func migrationIsGone(t *testing.T, db *database.DB) {
	fsys := files("1_accounts.up.sql", accountsTable, "2_new.up.sql", "INSERT INTO accounts (id, balance) VALUES ('a', 0)")
	mustMigrate(t, db, fsys)
	delete(fsys, "2_new.up.sql")
	mustMigrate(t, db, fsys)
	wantAccounts(t, db, "a")
}

func twoSets(t *testing.T, db *database.DB) {
	mustMigrate(t, db, files("1_accounts.up.sql", accountsTable))
	library := database.Named("library", files("1_row.up.sql", "INSERT INTO accounts (id, balance) VALUES ('library', 0)"))
	for range 2 {
		if err := database.Migrate(t.Context(), db, library); err != nil {
			t.Fatal(err)
		}
	}
	wantAccounts(t, db, "library")
}

func misnamedMigration(t *testing.T, db *database.DB) {
	for name, fsys := range map[string]fstest.MapFS{
		"no number":   files("accounts.up.sql", accountsTable),
		"same number": files("1_a.up.sql", "SELECT 1", "1_b.up.sql", "SELECT 1"),
	} {
		if err := database.Migrate(t.Context(), db, fsys); err == nil || !strings.Contains(err.Error(), ".up.sql") {
			t.Errorf("%s: got %v, want an error that names the file", name, err)
		}
	}
}

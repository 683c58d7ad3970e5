package databasetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// Conformance checks what package database promises; open gives a new, empty database at each call.
func Conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	suite := []struct {
		name string
		test func(t *testing.T, db *database.DB)
	}{
		{"values survive the round trip", roundTrip},
		{"a foreign key is enforced", foreignKey},
		{"a nil error commits", commits},
		{"an error rolls back", errorRollsBack},
		{"a panic rolls back and goes on", panicRollsBack},
		{"Goexit rolls back", goexitRollsBack},
		{"an ended context rolls back", contextRollsBack},
		{"a nested transaction commits with the outer one", nestedCommits},
		{"a nested error undoes the nested part alone", nestedError},
		{"an outer error undoes the nested part too", outerError},
		{"hooks run in order after the commit", hooksAfterCommit},
		{"hooks do not run after a rollback", hooksAfterRollback},
		{"hooks do not run when the commit fails", hooksAfterFailedCommit},
		{"a hook outside a transaction runs at once", hookOutside},
		{"concurrent read-modify-write loses no update", noLostUpdate},
		{"a deadlock is resolved by running again", deadlock},
		{"retries are bounded", boundedRetries},
		{"a lock has one holder", lockHasOneHolder},
		{"a lock's waiter gets it when it is free", lockIsHandedOn},
		{"migrations run once, in order", migrationsRunOnce},
		{"a migration that fails half-way leaves nothing and runs again", migrationFailsHalfWay},
		{"parallel migrators run each migration once", parallelMigrators},
		{"a migration outside a transaction", migrationWithoutTransaction},
		{"a migration for one kind of database", migrationForOneKind},
		{"migrations that are gone are left alone", migrationIsGone},
		{"two sets with equal numbers", twoSets},
		{"a misnamed migration is refused", misnamedMigration},
	}
	for _, c := range suite {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

type account struct {
	bun.BaseModel `bun:"table:accounts"`

	ID      string `bun:",pk"`
	Balance int64
	Note    string
	Opened  time.Time
}

const accountsTable = `CREATE TABLE accounts (id TEXT PRIMARY KEY, balance BIGINT NOT NULL, note TEXT NOT NULL DEFAULT '', opened TIMESTAMPTZ)`

func withAccounts(t *testing.T, db *database.DB, ids ...string) {
	t.Helper()
	exec(t, db, accountsTable)
	for _, id := range ids {
		insert(t, db, id)
	}
}

func insert(t *testing.T, db bun.IDB, id string) {
	t.Helper()
	if _, err := db.NewInsert().Model(&account{ID: id, Opened: time.Unix(0, 0)}).Exec(t.Context()); err != nil {
		t.Fatalf("insert %s: %v", id, err)
	}
}

func exec(t *testing.T, db bun.IDB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// wantAccounts fails unless exactly the accounts called ids exist.
func wantAccounts(t *testing.T, db bun.IDB, ids ...string) {
	t.Helper()
	got := []string{}
	if err := db.NewSelect().Model((*account)(nil)).Column("id").OrderExpr("id").Scan(context.Background(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append([]string{}, ids...), got); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
}

func roundTrip(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	want := account{
		ID: `quoted 'it''s" ?`, Balance: -1 << 62, Note: "? \\ \u00e9\u4e16\U0001f600 " + strings.Repeat("x", 1<<16),
		Opened: time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.FixedZone("", 3600)),
	}
	if _, err := db.NewInsert().Model(&want).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := account{ID: want.ID}
	if err := db.NewSelect().Model(&got).WherePK().Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !got.Opened.Equal(want.Opened) {
		t.Errorf("opened: got %v, want %v", got.Opened, want.Opened)
	}
	got.Opened, want.Opened = time.Time{}, time.Time{}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func foreignKey(t *testing.T, db *database.DB) {
	withAccounts(t, db)
	exec(t, db, `CREATE TABLE cards (id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (id))`)
	if _, err := db.ExecContext(t.Context(), `INSERT INTO cards VALUES ('c', 'nobody')`); err == nil {
		t.Error("a card of a missing account was stored")
	}
}

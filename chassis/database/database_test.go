package database_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
)

func TestSQLiteConforms(t *testing.T) {
	databasetest.Conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

func TestSQLiteInMemoryConforms(t *testing.T) {
	databasetest.Conformance(t, func(t *testing.T) *database.DB { return openTest(t, "sqlite://:memory:", database.Options{}) })
}

func openTest(t *testing.T, url string, opt database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), url, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	for _, url := range []string{
		"", "orders.db", "mysql://root@localhost/orders", "sqlite://", "sqlite:///orders.db?mode=ro",
		"postgres://user:hunter2@host:port/name", "postgres://user:hunter2@localhost/name?sslmode=maybe",
		"sqlite://" + filepath.Join(t.TempDir(), "missing", "folder", "orders.db"),
	} {
		db, err := database.Open(t.Context(), url, database.Options{})
		if err == nil {
			t.Errorf("%q was opened", url)
			_ = db.Close()
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestInMemoryDatabasesAreApart(t *testing.T) {
	a, b := openTest(t, "sqlite://:memory:", database.Options{}), openTest(t, "sqlite://:memory:", database.Options{})
	if _, err := a.Exec("CREATE TABLE t (id TEXT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Exec("SELECT * FROM t"); err == nil {
		t.Error("one database sees the other's table")
	}
}

func TestSQLitePathMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "50% #1 caf\u00e9.db")
	db := openTest(t, "sqlite://"+path, database.Options{})
	if _, err := db.Exec("CREATE TABLE t (id TEXT)"); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "50*.db")); len(found) != 1 || found[0] != path {
		t.Errorf("found %q, want %q", found, path)
	}
}

func TestReadersGoOnBesideAWriter(t *testing.T) {
	db := databasetest.New(t, nil)
	if _, err := db.Exec("CREATE TABLE t (id TEXT)"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(context.Background(), "INSERT INTO t VALUES ('a')"); err != nil {
		t.Fatal(err)
	}
	n, err := db.NewSelect().Table("t").Count(t.Context())
	if err != nil || n != 0 {
		t.Errorf("a reader got %d, %v beside a writer", n, err)
	}
}

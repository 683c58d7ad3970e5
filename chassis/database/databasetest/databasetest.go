// Package databasetest gives tests a database of their own, and the suite that every kind of database passes.
//
//	db := databasetest.New(t, migrations.FS)
package databasetest

import (
	"context"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// New gives the test a SQLite database in its temporary directory with the migrations applied; nil migrations leave it
// empty. It is closed when the test ends.
func New(t testing.TB, migrations fs.FS) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), "sqlite://"+filepath.Join(t.TempDir(), "test.db"), database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if migrations == nil {
		return db
	}
	if err := database.Migrate(context.Background(), db, migrations); err != nil {
		t.Fatal(err)
	}
	return db
}

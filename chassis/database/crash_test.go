package database_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// childURL makes the test binary migrate the database it names, and nothing else: see killMigrator.
const childURL = "TRELLIS_TEST_MIGRATE"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		fmt.Println(migrateSlowly(url))
		os.Exit(1) // reached only when it was not killed
	}
	os.Exit(m.Run())
}

// endless are statements that outlast every test.
var endless = map[string]string{
	database.Postgres: "SELECT pg_sleep(1000)",
	database.SQLite:   "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 100000000000) SELECT count(*) FROM c",
}

func slowMigrations(kind, last string) fstest.MapFS {
	if last == "" {
		last = endless[kind]
	}
	return fstest.MapFS{
		"1_first.up.sql":  {Data: []byte("CREATE TABLE first (id TEXT)")},
		"2_second.up.sql": {Data: []byte("CREATE TABLE second (id TEXT);\n--bun:split\n" + last)},
	}
}

func migrateSlowly(url string) error {
	db, err := database.Open(context.Background(), url, database.Options{})
	if err != nil {
		return err
	}
	return database.Migrate(context.Background(), db, slowMigrations(db.Kind(), ""))
}

func TestMigrationGoesOnAfterAMigratorWasKilled(t *testing.T) {
	killMigrator(t, "sqlite://"+filepath.Join(t.TempDir(), "test.db"))
}

// killMigrator kills a process that is in the middle of a migration: the lock must be free and nothing half done.
func killMigrator(t *testing.T, url string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childURL+"="+url)
	var output strings.Builder
	child.Stdout, child.Stderr = &output, &output
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	db := openTest(t, url, database.Options{})
	eventually(t, "the first migration is applied and the second under way", func() bool {
		_, err := db.ExecContext(t.Context(), "SELECT * FROM first")
		return err == nil
	})
	if unlock, ok, err := db.TryLock(t.Context(), "migrate"); ok || err != nil {
		t.Errorf("the child does not hold the lock (%v, %v): %s", ok, err, output.String())
		if ok {
			unlock()
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := database.Migrate(ctx, db, slowMigrations(db.Kind(), "INSERT INTO second VALUES ('done')")); err != nil {
		t.Fatal(err)
	}
	if n, err := db.NewSelect().Table("second").Count(ctx); err != nil || n != 1 {
		t.Errorf("%d rows, %v; want 1", n, err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 20s: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

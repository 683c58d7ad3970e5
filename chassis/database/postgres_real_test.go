//go:build real

package database_test

import (
	"context"
	"testing"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresConforms(t *testing.T) {
	databasetest.Conformance(t, func(t *testing.T) *database.DB { return openTest(t, real.Postgres(t), database.Options{}) })
}

func TestPostgresMigrationGoesOnAfterAMigratorWasKilled(t *testing.T) {
	killMigrator(t, real.Postgres(t))
}

func TestPoolRecoversWhenPostgresWasKilled(t *testing.T) {
	server := real.NewPostgres(t)
	db := openTest(t, server.Database(t), database.Options{})
	write := func() error {
		return db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS t (id TEXT)")
			return err
		})
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	eventually(t, "the database is away", func() bool { return database.Away(write()) }) // a backend outlives its server for a moment
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "writes succeed again", func() bool { return write() == nil })
}

//go:build real

package store

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresConforms(t *testing.T) { conformance(t, openPostgres) }

func TestUsersAreSpreadAndMovedOnPostgres(t *testing.T) { spreadAndMove(t, openPostgres) }

func openPostgres(t *testing.T) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), real.Postgres(t), database.Options{MaxOpen: 6})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

//go:build real

package store

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB {
		db, err := database.Open(t.Context(), real.Postgres(t), database.Options{})
		must(t, err)
		t.Cleanup(func() { _ = db.Close() })
		return db
	})
}

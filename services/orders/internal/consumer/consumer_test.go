package consumer

import (
	"log/slog"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
	"github.com/trellis-mesh/trellis/services/orders/migrations"
)

// newConsumer is a consumer on a database of the test's own, and the store on that database.
func newConsumer(t *testing.T) (*Consumer, *store.Store) {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	return New(outbox.NewInbox(db, "orders"), slog.New(slog.DiscardHandler)), store.New(db, nil)
}

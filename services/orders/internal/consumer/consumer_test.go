package consumer

import (
	"context"
	"log/slog"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
	"github.com/trellis-mesh/trellis/services/orders/migrations"
)

// newConsumer is a consumer on a database of the test's own, the store on that database, and what was published so far.
func newConsumer(t *testing.T) (*Consumer, *store.Store, func() []event.Event) {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	published := &eventtest.Recorder{}
	box, err := outbox.New(db, published, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	orders, err := app.New(app.Deps{Database: db, Outbox: box, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return New(outbox.NewInbox(db, "orders"), orders, slog.New(slog.DiscardHandler)), store.New(db, box), func() []event.Event {
		// A relay that is told to stop publishes first what it finds.
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := box.Run(ctx); err != nil {
			t.Fatal(err)
		}
		return published.Events()
	}
}

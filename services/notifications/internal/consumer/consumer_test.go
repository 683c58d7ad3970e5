package consumer

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/notifications/migrations"
)

// newConsumer is a consumer on a database of the test's own, that logs into the buffer.
func newConsumer(t *testing.T) (*Consumer, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	return New(outbox.NewInbox(db, "notifications"), slog.New(slog.NewTextHandler(&log, nil))), &log
}

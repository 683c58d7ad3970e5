//go:build real

package eventstore_test

import (
	"context"
	"testing"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return openURL(t, real.Postgres(t)) })
}

// TestAFrozenWriterDoesNotHoldTheHeadForEver: the server ends a transaction that has appended and does nothing more.
func TestAFrozenWriterDoesNotHoldTheHeadForEver(t *testing.T) {
	db := openURL(t, real.Postgres(t))
	store := newStore(t, db)
	inTx(t, db, func(ctx context.Context, tx bun.Tx) error {
		if _, err := store.Append(ctx, "a", eventstore.NoStream, deposited{1}); err != nil {
			return err
		}
		var limit string
		if err := tx.QueryRowContext(ctx, "SHOW idle_in_transaction_session_timeout").Scan(&limit); err != nil || limit != "30s" {
			t.Errorf("limit %s, %v", limit, err)
		}
		return nil
	})
}

func TestNothingIsLostWhenProcessesOnPostgresAreKilled(t *testing.T) {
	crash(t, real.Postgres(t), 12)
}

package idempotency

import (
	"context"
	"net/http"
	"testing"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
)

// A transaction may commit though its caller gets an error, as when the connection breaks at that moment. What was completed
// then must stay.
func TestWhatWasCommittedStaysThoughItsOwnerDoesNotKnow(t *testing.T) {
	db := databasetest.New(t, Migrations())
	keys, err := New(db, Options{Required: []string{"createOrder"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	mine, _, err := keys.take(ctx, keys.newRow(ctx, keys.operations["createOrder"], "k", "f"))
	if err != nil {
		t.Fatal(err)
	}
	err = db.InTx(context.WithValue(ctx, claimKey{}, mine), func(ctx context.Context, tx bun.Tx) error {
		return Complete(ctx, tx, func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusCreated)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := mine.keep(ctx, http.StatusNotFound, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := mine.giveUp(ctx); err != nil {
		t.Fatal(err)
	}
	_, kept, err := keys.take(ctx, keys.newRow(ctx, keys.operations["createOrder"], "k", "f"))
	if err != nil || kept == nil || kept.Status != http.StatusCreated {
		t.Errorf("kept %+v and %v, want the answer 201", kept, err)
	}
}

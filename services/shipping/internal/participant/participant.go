// Package participant does the service's part in transactions of two phases, which another service coordinates.
//
// A shipment is promised in a record. A prepared transaction of the database would do it too, but the order's end, which an event
// tells, may come before the decision, and would have to wait for it.
package participant

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
)

// Order is what a transaction is about.
type Order struct {
	ID     string        `json:"id"`
	Parcel domain.Parcel `json:"parcel"`
}

// New makes the participant whose shipments are in db, which has twophase.Migrations applied.
func New(db *database.DB, shipments *store.Store, opt twophase.LocalOptions) (*twophase.Local[Order], error) {
	work := twophase.Work[Order]{
		Prepare: func(ctx context.Context, _ bun.Tx, _ string, order Order) error {
			_, _, err := shipments.Handle(ctx, order.ID, domain.Promise, order.Parcel)
			if refused(err) {
				return twophase.Refused(err)
			}
			return err
		},
		Confirm: func(ctx context.Context, _ bun.Tx, _ string, order Order) error {
			_, _, err := shipments.Handle(ctx, order.ID, domain.Commit, order.Parcel)
			return err
		},
		Cancel: func(ctx context.Context, _ bun.Tx, _ string, order Order) error {
			_, _, err := shipments.Handle(ctx, order.ID, domain.Abort, order.Parcel)
			return err
		},
	}
	return twophase.Tentative(db, "shipping", work, undecided, opt)
}

// refused reports whether the domain says no to a promise.
func refused(err error) bool {
	for _, reason := range []error{domain.ErrCancelled, domain.ErrConfirmed, domain.ErrArranged, domain.ErrPromised} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// undecided answers for the coordinator, which needs not be asked: it tells its decision until it is heard.
func undecided(context.Context, string) (twophase.Decision, error) { return twophase.Undecided, nil }

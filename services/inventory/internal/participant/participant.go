// Package participant does the service's part in transactions of two phases, which another service coordinates.
//
// What an order needs is promised in a record. A prepared transaction of the database would do it too, but it would keep the
// stock of its products locked until the decision is told, and all orders share that; and the order's end, which an event tells,
// may come before that decision.
package participant

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/services/inventory/internal/store"
)

// Order is what a transaction is about.
type Order struct {
	ID    string        `json:"id"`
	Lines []domain.Line `json:"lines"` // from domain.NewLines
}

// New makes the participant whose stock is in db, which has twophase.Migrations applied.
func New(db *database.DB, stock *store.Store, opt twophase.LocalOptions) (*twophase.Local[Order], error) {
	work := twophase.Work[Order]{
		Prepare: func(ctx context.Context, _ bun.Tx, _ string, order Order) error {
			_, _, err := stock.Handle(ctx, order.ID, domain.Promise, order.Lines...)
			if refused(err) {
				return twophase.Refused(err)
			}
			return err
		},
		Confirm: func(ctx context.Context, _ bun.Tx, _ string, order Order) error {
			_, _, err := stock.Handle(ctx, order.ID, domain.Commit)
			return err
		},
		Cancel: func(ctx context.Context, _ bun.Tx, _ string, order Order) error {
			_, _, err := stock.Handle(ctx, order.ID, domain.Abort)
			return err
		},
	}
	return twophase.Tentative(db, "inventory", work, undecided, opt)
}

// refused reports whether the domain says no to a promise.
func refused(err error) bool {
	for _, reason := range []error{domain.ErrInsufficient, domain.ErrReleased, domain.ErrTaken, domain.ErrReserved, domain.ErrPromised} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// undecided answers for the coordinator, which needs not be asked: it tells its decision until it is heard.
func undecided(context.Context, string) (twophase.Decision, error) { return twophase.Undecided, nil }

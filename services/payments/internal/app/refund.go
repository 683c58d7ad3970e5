package app

import (
	"context"
	"errors"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// Refund gives back what an order was charged, and gives what became of it so far. A charge under way is given back or never
// happens; one that comes after it is refused. Of a promised payment it gives domain.ErrPromised: the transaction decides.
func (p *Payments) Refund(ctx context.Context, orderID string) (domain.Payment, error) {
	payment, err := p.refund(ctx, orderID)
	if err != nil || !payment.Open() {
		return payment, err
	}
	return p.ask(ctx, payment, 1)
}

// Cancelled gives back what a cancelled order was charged, as Refund does, but leaves it to a worker to ask the gateway. It
// works in the transaction of ctx. Where the payment is promised, the abort of that transaction drops it.
func (p *Payments) Cancelled(ctx context.Context, orderID string) error {
	_, err := p.refund(ctx, orderID)
	if errors.Is(err, domain.ErrPromised) {
		return nil
	}
	database.AfterCommit(ctx, p.Wake)
	return err
}

func (p *Payments) refund(ctx context.Context, orderID string) (payment domain.Payment, err error) {
	err = p.store.InTx(ctx, func(ctx context.Context) error {
		var first bool
		if payment, first, err = p.store.Begin(ctx, domain.Tombstone(orderID, p.now()), p.now()); err != nil || first {
			return err
		}
		// Due at once: until it is given back it is in nobody's hands alone, and to ask twice for it does no harm.
		payment, err = p.store.Update(ctx, orderID, p.now(), func(payment *domain.Payment) ([]event.Event, error) {
			return nil, payment.Refund()
		})
		return err
	})
	return payment, err
}

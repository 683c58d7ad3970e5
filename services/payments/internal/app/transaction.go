package app

import (
	"context"
	"errors"
	"time"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// Prepare votes on a transaction that charges an order: yes with an empty reason. No database can undo a charge, so nothing is
// charged before the commit; the promise is the gateway's, that a charge of this card will succeed, together with the order's
// row, which keeps other charges out. The vote is kept: asked again, it is the same.
func (p *Payments) Prepare(ctx context.Context, id string, order domain.Order) (yes bool, reason string, err error) {
	payment, reason, err := p.promise(ctx, order)
	if err != nil {
		return false, "", err
	}
	err = p.store.Decide(ctx, id, p.now(), func(ctx context.Context, t *domain.Transaction) error {
		first, err := t.Prepare(order.ID, reason)
		if err != nil {
			return err
		}
		if first {
			_, kept, err := p.store.Begin(ctx, payment, time.Time{})
			if err != nil {
				return err
			}
			if !kept {
				t.Refuse("the order is charged, promised or refunded already")
			}
		}
		yes, reason = t.State != domain.Aborted, t.Reason
		return nil
	})
	return yes, reason, err
}

// promise gives the payment to promise, or the reason why not.
func (p *Payments) promise(ctx context.Context, order domain.Order) (payment domain.Payment, reason string, err error) {
	card, err := p.card(ctx, order)
	switch {
	case errors.Is(err, ErrMethod), errors.Is(err, ErrAmount):
		return payment, err.Error(), nil
	case err != nil:
		return payment, "", err
	}
	payment = domain.Promise(p.newID(), order, card, p.now())
	if payment.Offline() {
		return payment, "", nil
	}
	outcome := p.patiently(ctx, func(ctx context.Context) domain.Outcome { return p.gateway.Verify(ctx, p.newID(), card) })
	if outcome.Result != domain.Success {
		return payment, outcome.Reason, nil
	}
	return payment, "", nil
}

// Commit charges what was promised. It is done once the intent is kept: whatever happens then, the charge is asked for until it
// has succeeded. Its errors are domain.ErrUnknownTransaction and domain.ErrAborted.
func (p *Payments) Commit(ctx context.Context, id string) error {
	var payment domain.Payment
	err := p.store.Decide(ctx, id, p.now(), func(ctx context.Context, t *domain.Transaction) error {
		first, err := t.Commit()
		if err != nil || !first {
			return err
		}
		payment, err = p.store.Update(ctx, t.OrderID, p.now().Add(lease), func(payment *domain.Payment) ([]event.Event, error) {
			payment.Commit()
			return nil, nil
		})
		return err
	})
	if err != nil || !payment.Open() {
		return err
	}
	if _, err := p.ask(ctx, payment, 1); err != nil {
		p.log.WarnContext(ctx, "what became of a committed charge is looked up later", "order", payment.Order.ID, "error", err)
	}
	return nil
}

// Abort drops what was promised, or will be asked for. After a commit it gives domain.ErrCommitted.
func (p *Payments) Abort(ctx context.Context, id string) error {
	return p.store.Decide(ctx, id, p.now(), func(ctx context.Context, t *domain.Transaction) error {
		promised, err := t.Abort()
		if err != nil || !promised {
			return err
		}
		return p.store.Drop(ctx, t.OrderID)
	})
}

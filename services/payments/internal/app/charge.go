package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
)

// Charge charges an order and gives what became of it so far; said again, it charges nothing more. Its errors are ErrMethod,
// ErrAmount, and those of domain.Payment.Again.
func (p *Payments) Charge(ctx context.Context, order domain.Order) (domain.Payment, error) {
	card, err := p.card(ctx, order)
	if err != nil {
		return domain.Payment{}, err
	}
	payment, first, err := p.store.Begin(ctx, domain.New(p.newID(), order, card, p.now()), p.now().Add(lease))
	switch {
	case err != nil:
		return domain.Payment{}, err
	case first && payment.Open():
		return p.ask(ctx, payment, 1)
	case first:
		return payment, nil
	}
	if err := payment.Again(order); err != nil {
		return domain.Payment{}, err
	}
	return p.refresh(ctx, payment)
}

// Reserved charges an order whose stock is reserved; an event tells the outcome. It only keeps the intent, in the
// transaction of ctx: a worker asks the gateway. What an order has by then decides what happens:
//
//   - nothing: it will be charged, or has failed at once for want of a payment method;
//   - the same payment: it is not charged again; an outcome that nobody was told of is told;
//   - a refund, since its cancellation was faster: nothing, inventory hears of that itself;
//   - another payment, or a promise: an error that a person has to look at.
func (p *Payments) Reserved(ctx context.Context, order domain.Order) error {
	card, err := p.card(ctx, order)
	payment := domain.New(p.newID(), order, card, p.now())
	switch {
	case errors.Is(err, ErrMethod), errors.Is(err, ErrAmount):
		payment = domain.Refuse(payment.ID, order, err.Error(), p.now())
	case err != nil:
		return err
	}
	payment.Announced = true
	events, err := p.outcome(payment)
	if err != nil {
		return err
	}
	return p.store.InTx(ctx, func(ctx context.Context) error {
		kept, first, err := p.store.Begin(ctx, payment, p.now(), events...)
		if err != nil || first {
			database.AfterCommit(ctx, p.Wake)
			return err
		}
		switch err := kept.Again(order); {
		case errors.Is(err, domain.ErrRefunded):
			p.log.InfoContext(ctx, "an order is not charged, since it was cancelled before", "order", order.ID)
			return nil
		case err != nil:
			return event.Permanent(err)
		}
		_, err = p.store.Update(ctx, order.ID, p.now(), func(payment *domain.Payment) ([]event.Event, error) {
			if payment.Announced {
				return nil, nil
			}
			payment.Announced = true
			return p.outcome(*payment)
		})
		return err
	})
}

// card gives the gateway's name of the card that an order is paid with, "" for none.
func (p *Payments) card(ctx context.Context, order domain.Order) (string, error) {
	if err := p.gateway.Accepts(order.Amount); err != nil {
		return "", fmt.Errorf("%w: %w", ErrAmount, err)
	}
	if order.Method == domain.Invoice {
		return "", nil
	}
	method, err := p.store.Method(ctx, order.Method)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && method.CustomerID != order.CustomerID:
		return "", ErrMethod
	case err != nil:
		return "", err
	}
	return method.Card, nil
}

// Get gives the payment of an order. While it is open, the gateway is asked what became of it.
func (p *Payments) Get(ctx context.Context, orderID string) (domain.Payment, error) {
	payment, err := p.store.Get(ctx, orderID)
	switch {
	case err != nil:
		return domain.Payment{}, err
	case payment.IsTombstone():
		return domain.Payment{}, store.ErrNotFound
	}
	return p.refresh(ctx, payment)
}

// List gives at most limit payments of a customer, the latest first, as they are known.
func (p *Payments) List(ctx context.Context, customerID string, limit int) ([]domain.Payment, error) {
	return p.store.List(ctx, customerID, limit)
}

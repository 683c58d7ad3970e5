package app

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// Wish is an order that a customer wants.
type Wish struct {
	ID       string
	Customer domain.Customer
	Items    []domain.Item
	Method   string          // of payment; a draft may have none yet
	Shipping domain.Shipping // a draft may have none yet
	Draft    bool            // it is not confirmed yet
}

// Also is what is kept together with an order, as it is then: all of it or nothing. Nil is nothing.
type Also func(ctx context.Context, tx bun.Tx, order domain.Snapshot) error

// Create keeps an order. Unless it is to be a draft it is confirmed at once, as Confirm does. The errors of its rules are those of
// the domain.
func (o *Orders) Create(ctx context.Context, wish Wish, also Also) error {
	at := o.now()
	order := domain.Draft(wish.ID, wish.Customer, at)
	for i, item := range wish.Items {
		if err := order.AddItem(item); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	if wish.Method != "" {
		if err := order.SetPayment(domain.Payment{Method: wish.Method, Amount: order.Snapshot().Total}); err != nil {
			return err
		}
	}
	if !wish.Shipping.IsZero() {
		if err := order.SetShipping(wish.Shipping); err != nil {
			return err
		}
	}
	if !wish.Draft {
		if err := order.Confirm(o.fulfilment(ctx, wish.Customer.ID), at); err != nil {
			return err
		}
	}
	return o.Database.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := o.store.Add(ctx, order); err != nil {
			return err
		}
		if !wish.Draft {
			if err := o.begin(ctx, tx, order.Snapshot()); err != nil {
				return err
			}
		}
		return also.keep(ctx, tx, order.Snapshot())
	})
}

// Change changes an order and gives it. The errors are those of change, and store.ErrNotFound.
func (o *Orders) Change(ctx context.Context, id string, change func(*domain.Order) error, also Also) (order domain.Snapshot, err error) {
	err = o.Database.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if order, err = o.store.Update(ctx, id, change); err != nil {
			return err
		}
		return also.keep(ctx, tx, order)
	})
	return order, err
}

// Confirm places an order that is a draft: with the event that announces it, and what fulfils it. Said again, it changes nothing. Its
// errors are those of domain.Order.Confirm, and store.ErrNotFound.
func (o *Orders) Confirm(ctx context.Context, id string) (order domain.Snapshot, err error) {
	err = o.Database.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		draft := false
		order, err = o.store.Update(ctx, id, func(order *domain.Order) error {
			is := order.Snapshot()
			draft = is.Status == domain.Drafted
			return order.Confirm(o.fulfilment(ctx, is.Customer.ID), o.now())
		})
		if err != nil || !draft {
			return err
		}
		return o.begin(ctx, tx, order)
	})
	return order, err
}

func (also Also) keep(ctx context.Context, tx bun.Tx, order domain.Snapshot) error {
	if also == nil {
		return nil
	}
	return also(ctx, tx, order)
}

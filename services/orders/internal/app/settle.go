package app

import (
	"context"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// Complete completes an order, once and for all, and tells of it, in the transaction of ctx. It is for whoever fulfils orders by the
// given way: an order of another way, and one that is settled, stays as it is. It gives store.ErrNotFound for an id that is not known.
func (o *Orders) Complete(ctx context.Context, by domain.Fulfilment, id string) error {
	return o.settle(ctx, by, id, func(order *domain.Order, at time.Time) bool { return order.Complete(at) })
}

// Cancel cancels an order as Complete completes it.
func (o *Orders) Cancel(ctx context.Context, by domain.Fulfilment, id, reason string) error {
	return o.settle(ctx, by, id, func(order *domain.Order, at time.Time) bool { return order.Cancel(reason, at) })
}

func (o *Orders) settle(ctx context.Context, by domain.Fulfilment, id string, change func(*domain.Order, time.Time) bool) error {
	at, settled := o.now(), false
	order, err := o.store.Update(ctx, id, func(order *domain.Order) error {
		settled = order.Snapshot().Fulfilment == by && change(order, at)
		return nil
	})
	if err != nil {
		return err
	}
	if !settled {
		o.Log.WarnContext(ctx, "the order is settled already, or fulfilled in another way", "order", id, "status", string(order.Status),
			"fulfilment", string(order.Fulfilment), "by", string(by))
		return nil
	}
	database.AfterCommit(ctx, func() { count(o.metrics, order) })
	return nil
}

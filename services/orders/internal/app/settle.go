package app

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/orders/internal/announce"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// Complete completes an order, once and for all, and tells of it, in tx. It is for whoever fulfils orders by the given way: an order
// of another way, and one that is settled, stays as it is. It gives store.ErrNotFound for an id that is not known.
func (o *Orders) Complete(ctx context.Context, tx bun.Tx, by domain.Fulfilment, id string) error {
	return o.settle(ctx, tx, by, id, func(order *domain.Order, at time.Time) bool { return order.Complete(at) })
}

// Cancel cancels an order as Complete completes it.
func (o *Orders) Cancel(ctx context.Context, tx bun.Tx, by domain.Fulfilment, id, reason string) error {
	return o.settle(ctx, tx, by, id, func(order *domain.Order, at time.Time) bool { return order.Cancel(reason, at) })
}

func (o *Orders) settle(ctx context.Context, tx bun.Tx, by domain.Fulfilment, id string, change func(*domain.Order, time.Time) bool) error {
	at := o.now()
	order, settled, err := store.Settle(ctx, tx, id, func(order *domain.Order) bool { return order.Fulfilment == by && change(order, at) })
	if err != nil {
		return err
	}
	if !settled {
		o.Log.WarnContext(ctx, "the order is settled already, or fulfilled in another way", "order", id, "status", string(order.Status),
			"fulfilment", string(order.Fulfilment), "by", string(by))
		return nil
	}
	tell := announce.Completed
	if order.Status == domain.Cancelled {
		tell = announce.Cancelled
	}
	told, err := tell(order)
	if err != nil {
		return err
	}
	database.AfterCommit(ctx, func() { o.metrics.count(order) })
	return o.Outbox.Append(ctx, tx, told)
}

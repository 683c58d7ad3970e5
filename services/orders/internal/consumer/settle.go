package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/orders/internal/announce"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// complete completes an order, once and for all, and tells of it in the same transaction.
func (c *Consumer) complete(ctx context.Context, e event.Event, id string) error {
	return c.settle(ctx, e, id, func(o *domain.Order, at time.Time) bool { return o.Complete(at) })
}

// cancel cancels an order, once and for all, and tells of it in the same transaction.
func (c *Consumer) cancel(ctx context.Context, e event.Event, id, reason string) error {
	return c.settle(ctx, e, id, func(o *domain.Order, at time.Time) bool { return o.Cancel(reason, at) })
}

func (c *Consumer) settle(ctx context.Context, e event.Event, id string, change func(*domain.Order, time.Time) bool) error {
	at := time.Now().UTC().Truncate(time.Microsecond) // what a database keeps
	return c.inbox.Once(ctx, e, func(ctx context.Context, tx bun.Tx) error {
		order, settled, err := store.Settle(ctx, tx, id, func(o *domain.Order) bool { return change(o, at) })
		switch {
		case errors.Is(err, store.ErrNotFound): // an order is there before anybody is told of it
			return event.Permanent(fmt.Errorf("%s tells of the order %q, which is not known: %w", e.Type(), id, err))
		case err != nil:
			return err
		case !settled:
			c.log.InfoContext(ctx, "the order is settled already", "order", id, "status", string(order.Status), "event", e.Type())
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
		return c.outbox.Append(ctx, tx, told)
	})
}

package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// complete completes an order that is left to events, once and for all.
func (c *Consumer) complete(ctx context.Context, e event.Event, id string) error {
	return c.settle(ctx, e, id, func(ctx context.Context) error {
		return c.orders.Complete(ctx, domain.Choreography, id)
	})
}

// cancel cancels an order that is left to events, once and for all.
func (c *Consumer) cancel(ctx context.Context, e event.Event, id, reason string) error {
	return c.settle(ctx, e, id, func(ctx context.Context) error {
		return c.orders.Cancel(ctx, domain.Choreography, id, reason)
	})
}

func (c *Consumer) settle(ctx context.Context, e event.Event, id string, settle func(context.Context) error) error {
	return c.inbox.Once(ctx, e, func(ctx context.Context, _ bun.Tx) error {
		err := settle(ctx)
		if errors.Is(err, store.ErrNotFound) { // an order is there before anybody is told of it
			return event.Permanent(fmt.Errorf("%s tells of the order %q, which is not known: %w", e.Type(), id, err))
		}
		return err
	})
}

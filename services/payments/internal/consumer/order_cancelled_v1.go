package consumer

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

// OrderCancelledV1 gives back what the order was charged, or keeps a charge out that comes after it.
func (c *Consumer) OrderCancelledV1(ctx context.Context, e event.Event) error {
	cancelled, err := event.Decode[api.OrderCancelledV1](e)
	if err != nil {
		return err
	}
	if cancelled.ID == "" {
		return event.Permanent(errNoOrder)
	}
	return c.inbox.Once(ctx, e, func(ctx context.Context, _ bun.Tx) error {
		return c.payments.Cancelled(ctx, cancelled.ID)
	})
}

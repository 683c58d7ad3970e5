package consumer

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

// OrderCancelledV1 cancels the shipment of an order that is given up. It was not announced, so nobody needs to be told.
func (c *Consumer) OrderCancelledV1(ctx context.Context, e event.Event) error {
	order, err := event.Decode[api.OrderCancelledV1](e)
	if err != nil {
		return err
	}
	if order.ID == "" {
		return noOrder(e)
	}
	return c.Inbox.Once(ctx, e, func(ctx context.Context, _ bun.Tx) error {
		_, _, err := c.Store.Handle(ctx, order.ID, domain.Cancel, domain.Parcel{})
		return forAPerson(err)
	})
}

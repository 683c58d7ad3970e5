package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

// PaymentProcessedV1 completes the order that was paid.
func (c *Consumer) PaymentProcessedV1(ctx context.Context, e event.Event) error {
	payment, err := event.Decode[api.PaymentProcessedV1](e)
	if err != nil {
		return err
	}
	return c.complete(ctx, e, payment.OrderID)
}

package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

// PaymentFailedV1 cancels the order that could not be paid.
func (c *Consumer) PaymentFailedV1(ctx context.Context, e event.Event) error {
	payment, err := event.Decode[api.PaymentFailedV1](e)
	if err != nil {
		return err
	}
	return c.cancel(ctx, e, payment.OrderID, payment.Reason)
}

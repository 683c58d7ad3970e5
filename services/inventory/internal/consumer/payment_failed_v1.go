package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// PaymentFailedV1 releases what is reserved for an order that nobody pays for.
func (c *Consumer) PaymentFailedV1(ctx context.Context, e event.Event) error {
	received, err := event.Decode[api.PaymentFailedV1](e)
	if err != nil {
		return err
	}
	return c.tell(ctx, e, received.OrderID, domain.Cancel)
}

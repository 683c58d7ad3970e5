package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

// InventoryReservationFailedV1 cancels the order whose stock is not there.
func (c *Consumer) InventoryReservationFailedV1(ctx context.Context, e event.Event) error {
	failed, err := event.Decode[api.InventoryReservationFailedV1](e)
	if err != nil {
		return err
	}
	return c.cancel(ctx, e, failed.OrderID, failed.Reason)
}

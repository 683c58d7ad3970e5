package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
)

// ShipmentCreatedV1 tells the customer that the order is on its way.
func (c *Consumer) ShipmentCreatedV1(ctx context.Context, e event.Event) error {
	shipment, err := event.Decode[api.ShipmentCreatedV1](e)
	if err != nil {
		return err
	}
	return c.tell(ctx, e, domain.Message{Kind: domain.Shipped, CustomerID: shipment.CustomerID, OrderID: shipment.OrderID})
}

package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
)

// OrderCompletedV1 tells the customer that the order is complete.
func (c *Consumer) OrderCompletedV1(ctx context.Context, e event.Event) error {
	order, err := event.Decode[api.OrderCompletedV1](e)
	if err != nil {
		return err
	}
	return c.tell(ctx, e, domain.Message{
		Kind: domain.OrderCompleted, CustomerID: order.CustomerID, OrderID: order.ID, Amount: order.Total.Amount + " " + order.Total.Currency,
	})
}

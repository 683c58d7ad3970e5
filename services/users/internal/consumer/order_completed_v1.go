package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/summary"
)

// OrderCompletedV1 counts the order in its customer's summary.
func (c *Consumer) OrderCompletedV1(ctx context.Context, e event.Event) error {
	completed, err := event.Decode[api.OrderCompletedV1](e)
	if err != nil {
		return err
	}
	o := summary.Order{ID: completed.ID, UserID: completed.CustomerID, Completed: true, SettledAt: completed.CompletedAt}
	return c.settled(ctx, e, o, completed.Total.Amount, completed.Total.Currency)
}

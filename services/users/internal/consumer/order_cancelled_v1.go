package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/summary"
)

// OrderCancelledV1 lets who waits for the order know that it is settled. It counts for nothing else.
func (c *Consumer) OrderCancelledV1(ctx context.Context, e event.Event) error {
	cancelled, err := event.Decode[api.OrderCancelledV1](e)
	if err != nil {
		return err
	}
	o := summary.Order{ID: cancelled.ID, UserID: cancelled.CustomerID, SettledAt: cancelled.CancelledAt}
	return c.settled(ctx, e, o, cancelled.Total.Amount, cancelled.Total.Currency)
}

package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// OrderCompletedV1 takes what is reserved for an order that is paid for: it leaves the shelf.
func (c *Consumer) OrderCompletedV1(ctx context.Context, e event.Event) error {
	received, err := event.Decode[api.OrderCompletedV1](e)
	if err != nil {
		return err
	}
	return c.tell(ctx, e, received.ID, domain.Complete)
}

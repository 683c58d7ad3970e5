package consumer

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// OrderCancelledV1 releases what is reserved for an order that is given up.
func (c *Consumer) OrderCancelledV1(ctx context.Context, e event.Event) error {
	received, err := event.Decode[api.OrderCancelledV1](e)
	if err != nil {
		return err
	}
	return c.tell(ctx, e, received.ID, domain.Cancel)
}

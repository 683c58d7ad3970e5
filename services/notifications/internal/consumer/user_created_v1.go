package consumer

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/notifications/api"
)

// UserCreatedV1 takes note of user.created.v1: what follows from it is to be written.
func (c *Consumer) UserCreatedV1(ctx context.Context, e event.Event) error {
	received, err := event.Decode[api.UserCreatedV1](e)
	if err != nil {
		return err
	}
	// What is written with tx is kept if, and only if, the event counts as handled.
	return c.inbox.Once(ctx, e, func(ctx context.Context, _ bun.Tx) error {
		c.log.InfoContext(ctx, "received", "event", e.Type(), "id", received.ID)
		return nil
	})
}

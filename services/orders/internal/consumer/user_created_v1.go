package consumer

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// UserCreatedV1 remembers the customer, so that orders can be taken while users is away.
func (c *Consumer) UserCreatedV1(ctx context.Context, e event.Event) error {
	user, err := event.Decode[api.UserCreatedV1](e)
	if err != nil {
		return err
	}
	return c.inbox.Once(ctx, e, func(ctx context.Context, tx bun.Tx) error {
		return store.KeepCustomer(ctx, tx, domain.Customer{ID: user.ID, Name: user.Name})
	})
}

package consumer

import (
	"context"
	"errors"
	"net/mail"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
)

var errAddress = errors.New("the event has no e-mail address that can be written to") // which is not quoted: causes are shown

// UserCreatedV1 keeps the user's address and welcomes the user.
func (c *Consumer) UserCreatedV1(ctx context.Context, e event.Event) error {
	user, err := event.Decode[api.UserCreatedV1](e)
	if err != nil {
		return err
	}
	if address, err := mail.ParseAddress(user.Email); err != nil || address.Address != user.Email {
		return event.Permanent(errAddress)
	}
	if user.ID == "" {
		return event.Permanent(errors.New("the event names no user"))
	}
	return c.inbox.Once(ctx, e, func(ctx context.Context, _ bun.Tx) error {
		customer := domain.Customer{ID: user.ID, Name: user.Name, Email: user.Email}
		return c.notifications.Register(ctx, customer, domain.ID(e.Source(), e.ID()))
	})
}

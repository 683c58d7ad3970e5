// Package consumer does what the service does about events of others, one file an event.
package consumer

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/notifications/internal/app"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
)

// Consumer handles events. Each may be delivered more than once; the inbox makes their effects happen once.
type Consumer struct {
	inbox         *outbox.Inbox
	notifications *app.Notifications
}

// New makes a consumer.
func New(inbox *outbox.Inbox, notifications *app.Notifications) *Consumer {
	return &Consumer{inbox: inbox, notifications: notifications}
}

// tell keeps a message about an event, once. One to nobody becomes a dead letter.
func (c *Consumer) tell(ctx context.Context, e event.Event, m domain.Message) error {
	m.ID = domain.ID(e.Source(), e.ID())
	err := c.inbox.Once(ctx, e, func(ctx context.Context, _ bun.Tx) error { return c.notifications.Tell(ctx, m) })
	if errors.Is(err, app.ErrNobody) {
		return event.Permanent(err)
	}
	return err
}

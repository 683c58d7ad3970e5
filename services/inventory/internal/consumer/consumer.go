// Package consumer does what the service does about events of others, one file an event.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/services/inventory/internal/store"
)

// Deps are what a Consumer works with, all on one database.
type Deps struct {
	Inbox  *outbox.Inbox
	Outbox *outbox.Outbox
	Store  *store.Store
}

// Consumer handles events. Each may be delivered more than once; the inbox makes their effects happen once.
type Consumer struct {
	Deps

	now func() time.Time
}

// New makes a consumer.
func New(deps Deps) *Consumer {
	return &Consumer{Deps: deps, now: time.Now}
}

var errNoOrder = errors.New("it names no order")

// tell gives a reservation the message that an event of its order is.
func (c *Consumer) tell(ctx context.Context, e event.Event, orderID string, m domain.Message) error {
	if orderID == "" {
		return event.Permanent(fmt.Errorf("%s %s: %w", e.Type(), e.ID(), errNoOrder))
	}
	return c.Inbox.Once(ctx, e, func(ctx context.Context, _ bun.Tx) error {
		_, _, err := c.Store.Handle(ctx, orderID, m)
		if errors.Is(err, domain.ErrReleased) || errors.Is(err, domain.ErrTaken) {
			return event.Permanent(err) // both are final, so that it is for a person to see
		}
		return err
	})
}

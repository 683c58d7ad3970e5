// Package consumer does what the service does about events of others, one file an event.
package consumer

import (
	"errors"
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
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
}

// New makes a consumer.
func New(deps Deps) *Consumer {
	return &Consumer{Deps: deps}
}

// noOrder is the error of an event that does not say what it is about.
func noOrder(e event.Event) error {
	return event.Permanent(fmt.Errorf("%s %s: it names no order", e.Type(), e.ID()))
}

// forAPerson makes a contradiction permanent: both ends of an order are final, so no retry can mend it.
func forAPerson(err error) error {
	if errors.Is(err, domain.ErrCancelled) || errors.Is(err, domain.ErrConfirmed) {
		return event.Permanent(err)
	}
	return err
}

// Package consumer does what the service does about events of others, one file an event.
package consumer

import (
	"errors"

	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/payments/internal/app"
)

// Consumer handles events. Each may be delivered more than once; the inbox makes their effects happen once.
type Consumer struct {
	inbox    *outbox.Inbox
	payments *app.Payments
}

var errNoOrder = errors.New("the event names no order")

// New makes a consumer.
func New(inbox *outbox.Inbox, payments *app.Payments) *Consumer {
	return &Consumer{inbox: inbox, payments: payments}
}

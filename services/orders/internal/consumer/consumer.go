// Package consumer does what the service does about events of others, one file an event.
package consumer

import (
	"context"
	"log/slog"

	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// Orders settles orders; *app.Orders says what its methods do.
type Orders interface {
	Complete(ctx context.Context, by domain.Fulfilment, id string) error
	Cancel(ctx context.Context, by domain.Fulfilment, id, reason string) error
}

// Consumer handles events. Each may be delivered more than once; the inbox makes their effects happen once.
type Consumer struct {
	inbox  *outbox.Inbox
	orders Orders
	log    *slog.Logger
}

// New makes a consumer. The orders are in the inbox's database.
func New(inbox *outbox.Inbox, orders Orders, log *slog.Logger) *Consumer {
	return &Consumer{inbox: inbox, orders: orders, log: log}
}

// Package consumer does what the service does about events of others, one file an event.
package consumer

import (
	"log/slog"

	"github.com/trellis-mesh/trellis/chassis/outbox"
)

// Consumer handles events. Each may be delivered more than once; the inbox makes their effects happen once.
type Consumer struct {
	inbox *outbox.Inbox
	log   *slog.Logger
}

// New makes a consumer.
func New(inbox *outbox.Inbox, log *slog.Logger) *Consumer {
	return &Consumer{inbox: inbox, log: log}
}

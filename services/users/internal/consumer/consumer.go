// Package consumer does what the service does about events of others, one file an event.
package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/users/internal/summary"
)

// Consumer handles events. Each may be delivered more than once; the inbox makes their effects happen once.
type Consumer struct {
	inbox     *outbox.Inbox
	summaries *summary.Summaries
}

var errIncomplete = errors.New("the event names no order, no customer or no time")

// New makes a consumer.
func New(inbox *outbox.Inbox, summaries *summary.Summaries) *Consumer {
	return &Consumer{inbox: inbox, summaries: summaries}
}

// settled adds an order to the summary of its customer. What cannot be right at another time is a dead letter.
func (c *Consumer) settled(ctx context.Context, e event.Event, o summary.Order, amount, currency string) (err error) {
	if o.ID == "" || o.UserID == "" || o.SettledAt.IsZero() {
		return event.Permanent(errIncomplete)
	}
	o.SettledAt = o.SettledAt.UTC().Truncate(time.Microsecond) // what a database keeps
	if o.Total, err = money.New(amount, currency); err != nil {
		return event.Permanent(err)
	}
	err = c.inbox.Once(ctx, e, func(ctx context.Context, tx bun.Tx) error { return c.summaries.Record(ctx, tx, o) })
	if errors.Is(err, summary.ErrContradiction) {
		return event.Permanent(err)
	}
	return err
}

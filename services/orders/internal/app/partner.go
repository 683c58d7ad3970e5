package app

import (
	"context"
	"errors"
	"strings"

	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// Partners are the services that an order needs, in the order in which a saga asks them.
type Partners struct {
	Inventory, Payments, Shipping Partner
}

// Partner does one part of an order: it keeps the stock, charges the customer, or arranges the shipment. Every call may come again,
// and has then the effect of one. An error that is a *Refusal says no for good; after any other nobody knows.
type Partner interface {
	// Do does the part, or finds it done.
	Do(ctx context.Context, order domain.Snapshot) error
	// Undo makes good what Do did, or is yet to do: a Do that comes after it is refused.
	Undo(ctx context.Context, orderID string) error

	// Prepare promises the part, so that Commit can do it whatever happens.
	Prepare(ctx context.Context, order domain.Snapshot) error
	// Commit does what was promised.
	Commit(ctx context.Context, orderID string) error
	// Abort drops what was promised, or is yet to be: a Prepare that comes after it is refused.
	Abort(ctx context.Context, orderID string) error
}

// Refusal is a partner's no. It has done nothing and will not, however often it is asked.
type Refusal struct {
	Reason string // for the customer
}

const refused = "refused: "

func (r *Refusal) Error() string { return refused + r.Reason }

func isRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}

// unanswered is why an order is cancelled that nobody has refused: a partner was away for too long.
const unanswered = "fulfilment_unavailable"

// reason is what the customer is told of the error that an order is cancelled for: what a partner meant for them, and nothing else.
func reason(cause, otherwise string) string {
	if _, told, ok := strings.Cut(cause, refused); ok {
		return told
	}
	return otherwise
}

// Package app is what payments does: charge, refund, register cards, and take part in transactions of two phases.
//
// The gateway is never asked inside a transaction. What is wanted of it, under which reference, is committed first; what it
// told is committed after, with the event that tells others. Who crashes in between leaves a payment that is due to be asked
// about again, which a worker of any replica does (Run): it looks the reference up, and sends the charge again, under the same
// reference, only when the gateway does not know it. So every step may happen twice, and no order is paid twice.
package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
	"github.com/trellis-mesh/trellis/services/payments/internal/metric"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
)

var (
	// ErrMethod is a payment method that there is not, or that is another customer's.
	ErrMethod = errors.New("there is no such payment method")
	// ErrAmount is an amount that the gateway does not accept; the error's text says why.
	ErrAmount = errors.New("the amount is not accepted")
	// ErrCard is a card that the gateway does not take; the error's text says why.
	ErrCard = errors.New("the card is not taken")
	// ErrGateway is a gateway that could not be asked.
	ErrGateway = errors.New("the payment gateway does not answer")
)

// Gateway is the payment gateway in our terms. No outcome of it is an error: what it did not tell is domain.Unknown.
type Gateway interface {
	Accepts(amount money.Money) error
	Charge(ctx context.Context, reference, card string, amount money.Money) domain.Outcome
	Lookup(ctx context.Context, reference string, amount money.Money) domain.Outcome
	Refund(ctx context.Context, reference string) domain.Outcome
	Register(ctx context.Context, reference string, card domain.Card) domain.Outcome
	Verify(ctx context.Context, reference, card string) domain.Outcome
}

// Store keeps what payments knows; *store.Store says what its methods do.
type Store interface {
	InTx(ctx context.Context, fn func(context.Context) error) error
	Begin(ctx context.Context, p domain.Payment, due time.Time, events ...event.Event) (kept domain.Payment, first bool, err error)
	Update(ctx context.Context, orderID string, due time.Time, fn store.Change) (domain.Payment, error)
	Drop(ctx context.Context, orderID string) error
	Get(ctx context.Context, orderID string) (domain.Payment, error)
	List(ctx context.Context, customerID string, limit int) ([]domain.Payment, error)
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	Claim(ctx context.Context, orderID string, now, until time.Time) (p domain.Payment, origin telemetry.Origin, asked int, err error)
	Postpone(ctx context.Context, p domain.Payment, until time.Time) error
	KeepMethod(ctx context.Context, m domain.Method) error
	Method(ctx context.Context, id string) (domain.Method, error)
	Decide(ctx context.Context, id string, at time.Time, fn func(context.Context, *domain.Transaction) error) error
}

const (
	// patience is how long a request waits for the gateway, all calls together: less than each caller waits for us.
	patience = 2 * time.Second
	// lease is how long whoever set out to ask the gateway is left alone with it.
	lease = 10 * time.Second
	// keeping is how long keeping an answer may take, even when nobody waits for it any more.
	keeping = 5 * time.Second
)

// Payments does what the service is for.
type Payments struct {
	store   Store
	gateway Gateway
	log     *slog.Logger
	metrics *metric.Metrics
	wake    chan struct{}

	now   func() time.Time
	newID func() string
}

// New makes the service's use cases; metrics of nil are kept for nobody. Run must run for what is left open to be settled.
func New(store Store, gateway Gateway, log *slog.Logger, metrics *metric.Metrics) *Payments {
	if metrics == nil {
		metrics, _ = metric.New(nil) // only a registry can refuse
	}
	return &Payments{store: store, gateway: gateway, log: log, metrics: metrics, wake: make(chan struct{}, 1), now: now, newID: newID}
}

// now is the time as a database keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// newID gives ids that sort by the time they were made at, as a customer's payments are listed by them.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

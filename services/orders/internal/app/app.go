// Package app is what orders does: it takes orders and brings each to its end, completed or cancelled.
//
// The flag orders.fulfilment says how, for a customer; an order keeps what it said when it was placed:
//
//   - choreography: the order is announced, and the events of inventory and payments settle it;
//   - orchestration: a saga asks inventory, payments and shipping one after the other, and undoes what came before a no;
//   - two-phase: a coordinator has the three promise their parts, and decides when all have.
//
// Whichever it is, it begins in the transaction that keeps the order, and ends in the one that settles it and tells of that. So no
// order waits for ever for a process that died, and nobody is told what did not happen.
//
// The invoice of a completed order is paid by a saga of its own, see Pay.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/metric"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// FulfilmentFlag is the flag that says how the orders of a customer are fulfilled.
const FulfilmentFlag = "orders.fulfilment"

// Flags gives the value of a flag for a key; *flag.Flags does.
type Flags interface {
	String(ctx context.Context, name, fallback, key string) string
}

// Deps are what Orders works with. The outbox is on the database, which has the migrations of the service, the outbox, sagas and
// transactions of two phases.
type Deps struct {
	Database *database.DB
	Outbox   *outbox.Outbox
	Flags    Flags
	Partners Partners
	Till     Till
	Log      *slog.Logger
	Registry prometheus.Registerer // nil: no metrics
	Lease    time.Duration         // after which another process goes on with the order of one that died; default 30s
	Patience saga.Retry            // how long a partner that is away is waited for; default about 40s, see patient
	Wait     time.Duration         // how long Pay waits for the outcome; default 3s
}

// Orders takes orders and brings them to their end.
type Orders struct {
	Deps

	store       *store.Store
	saga        *saga.Saga[progress]
	payment     *saga.Saga[payment]
	coordinator *twophase.Coordinator[progress]
	metrics     *metric.Metrics
	now         func() time.Time
}

// New makes the service's use cases. Run must run for orders to be fulfilled.
func New(deps Deps) (*Orders, error) {
	if deps.Registry == nil {
		deps.Registry = prometheus.NewRegistry()
	}
	if deps.Patience == (saga.Retry{}) {
		deps.Patience = patient
	}
	if deps.Wait == 0 {
		deps.Wait = 3 * time.Second
	}
	o := &Orders{Deps: deps, store: store.New(deps.Database, deps.Outbox), now: now}
	var err error
	if o.metrics, err = newMetrics(deps.Registry); err != nil {
		return nil, fmt.Errorf("metrics of orders: %w", err)
	}
	opt := saga.Options{Lease: deps.Lease, Log: deps.Log, Registry: deps.Registry}
	if o.saga, err = saga.New(deps.Database, o.orchestration(), opt); err != nil {
		return nil, err
	}
	if o.payment, err = saga.New(deps.Database, o.sequence(), opt); err != nil {
		return nil, err
	}
	phases := twophase.Options{Lease: deps.Lease, Log: deps.Log, Registry: deps.Registry}
	o.coordinator, err = twophase.New(deps.Database, coordinator, o.participants(), o.decided, phases)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Sagas are where a person sees those that are parked.
func (o *Orders) Sagas() []saga.Desk { return []saga.Desk{o.saga, o.payment} }

// now is the time as a database keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Run fulfils orders until ctx ends; any number of processes may.
func (o *Orders) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.saga.Run(ctx) })
	group.Go(func() error { return o.payment.Run(ctx) })
	group.Go(func() error { return o.coordinator.Run(ctx) })
	group.Go(func() error { return o.countDrafts(ctx) })
	return group.Wait()
}

// progress is what a saga or a transaction knows of its order. All that it needs else is in the order.
type progress struct {
	OrderID string
}

// begin begins to fulfil an order that is confirmed, in the transaction in which it is.
func (o *Orders) begin(ctx context.Context, tx bun.Tx, order domain.Snapshot) error {
	switch order.Fulfilment {
	case domain.Orchestration:
		return o.saga.Start(ctx, tx, order.ID, progress{OrderID: order.ID})
	case domain.TwoPhase:
		return o.coordinator.Begin(ctx, tx, order.ID, progress{OrderID: order.ID})
	case domain.Choreography: // the event begins it
	}
	return nil
}

// fulfilment is what the flag says for a customer. What nobody knows how to do is left to events.
func (o *Orders) fulfilment(ctx context.Context, customer string) domain.Fulfilment {
	value := domain.Fulfilment(o.Flags.String(ctx, FulfilmentFlag, string(domain.Choreography), customer))
	switch value {
	case domain.Choreography, domain.Orchestration, domain.TwoPhase:
		return value
	}
	o.Log.WarnContext(ctx, "the flag has a value that is not known; the order is fulfilled by events", "flag", FulfilmentFlag, "value", string(value))
	return domain.Choreography
}

// Package app is what notifications does: keep what customers are to be told, and send it.
//
// A message is kept in the transaction that marks its event as handled, so each event makes one, however often it comes. Sending is
// another matter: between the server's word that it has the message and our note of it there is a moment, and whoever dies in it leaves
// a message that may or may not be with the server. Not to send it again could lose it, so it is sent again, with the same Message-ID, by
// which servers and mail programs know it: at least once, and once for whoever looks at the id.
package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
	"github.com/trellis-mesh/trellis/services/notifications/internal/mail"
	"github.com/trellis-mesh/trellis/services/notifications/internal/store"
)

// Store keeps messages; *store.Store says what its methods do.
type Store interface {
	Put(ctx context.Context, m domain.Message, traceparent string) (first bool, err error)
	KeepCustomer(ctx context.Context, c domain.Customer, now time.Time) error
	Customer(ctx context.Context, id string) (c domain.Customer, known bool, err error)
	List(ctx context.Context, customerID string, limit int) ([]domain.Message, error)
	Waiting(ctx context.Context) (map[domain.Kind]int, error)
	Claim(ctx context.Context, now, until time.Time) (c store.Claimed, ok bool, err error)
	Sent(ctx context.Context, m domain.Message, at time.Time) error
	Postpone(ctx context.Context, m domain.Message, why string, until time.Time) error
	Fail(ctx context.Context, m domain.Message, why string) error
}

// Mailer sends a letter. Its error is a *mail.Error.
type Mailer interface {
	Send(ctx context.Context, letter mail.Letter) error
}

// Options tune Notifications. Every zero value but that of Mailer is right for a service.
type Options struct {
	Mailer   Mailer                // nil: messages wait until there is one
	Patience time.Duration         // how long a message waits for its customer's address; default 1h
	Expiry   time.Duration         // how long it is tried to send a message; default 24h
	Log      *slog.Logger          // default: slog.Default
	Registry prometheus.Registerer // nil: no metrics
	Tracer   trace.TracerProvider  // default: the global one
	Now      func() time.Time      // default: time.Now
}

func (o Options) withDefaults() Options {
	o.Patience, o.Expiry = cmp.Or(o.Patience, time.Hour), cmp.Or(o.Expiry, 24*time.Hour)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Tracer == nil {
		o.Tracer = otel.GetTracerProvider()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Notifications does what the service is for.
type Notifications struct {
	store   Store
	opt     Options
	tracer  trace.Tracer
	metrics metrics
	wake    chan struct{}
}

// New makes the service's use cases. Run must run for messages to be sent.
func New(store Store, opt Options) (*Notifications, error) {
	opt = opt.withDefaults()
	metrics, err := newMetrics(opt.Registry)
	if err != nil {
		return nil, err
	}
	tracer := opt.Tracer.Tracer("github.com/trellis-mesh/trellis/services/notifications")
	return &Notifications{store: store, opt: opt, tracer: tracer, metrics: metrics, wake: make(chan struct{}, senders)}, nil
}

// now is the time as a database keeps it.
func (n *Notifications) now() time.Time { return n.opt.Now().UTC().Truncate(time.Microsecond) }

// ErrNobody is a message to no customer.
var ErrNobody = errors.New("the event names no customer")

// Register keeps whom to write to, and welcomes them with a message, in the transaction of ctx.
func (n *Notifications) Register(ctx context.Context, c domain.Customer, id string) error {
	if err := n.store.KeepCustomer(ctx, c, n.now()); err != nil {
		return err
	}
	return n.Tell(ctx, domain.Message{ID: id, CustomerID: c.ID, Kind: domain.Welcome})
}

// Tell keeps a message to be sent, in the transaction of ctx.
func (n *Notifications) Tell(ctx context.Context, m domain.Message) error {
	if m.CustomerID == "" {
		return ErrNobody
	}
	m.CreatedAt = n.now()
	parent := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, parent)
	first, err := n.store.Put(ctx, m, parent.Get("traceparent"))
	if err != nil {
		return err
	}
	database.AfterCommit(ctx, func() {
		if first {
			n.metrics.count(m.Kind, domain.Waiting)
		}
		n.Wake()
	})
	return nil
}

// List gives at most limit messages to a customer, the latest first.
func (n *Notifications) List(ctx context.Context, customerID string, limit int) ([]domain.Message, error) {
	return n.store.List(ctx, customerID, limit)
}

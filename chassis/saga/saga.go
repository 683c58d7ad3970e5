// Package saga carries out a business transaction that spans services: steps one after the other and, when one cannot be
// done, the compensations of those before it in reverse order.
//
// What was done is in a log in the service's database, so a saga goes on after a crash of its process, in any replica, from
// where the log ends. A process can die between a step's effect and the log of it, so every Do and every Undo may run more
// than once. Each has a Key, the same at each attempt, by which the callee recognises a repetition.
//
// # When a step fails
//
// An error is transient: the step is tried again, with growing pauses, until Retry is used up. Then, or at once when the error
// is Refused or Permanent, the saga compensates. After a timeout or a crash nobody knows whether the step had its effect, so
// compensation begins with the Undo of the failed step itself. It begins with the step before only when every attempt of the
// failed one is known to have had no effect: its error was marked by Refused or NoEffect. So an Undo must bear that there is
// nothing to undo; and since a Do on its way may be slower than the Undo, a callee that has seen the Undo of a DoKey refuses
// its Do from then on.
//
// Once a step marked Pivot has succeeded there is no way back: the steps after it are tried again until they succeed.
//
// A compensation or a step after the pivot that fails beyond Options.Insist or permanently parks the saga, since nothing that
// a program could do is right: it is logged as an error, counted in the metric saga_instances{state="parked"}, and waits for
// a person, who mends the cause and calls Resume, or does by hand what the step should have done and calls Skip.
//
// Attempts are counted when they begin, so a step that takes its process down is not repeated for ever.
//
// # Definitions change
//
// A saga goes on with the definition of the process that takes it up; steps are known by their names. A step that is renamed or
// removed while sagas are under way parks those that need it.
//
//	fulfilment, err := saga.New(db, saga.Definition[Order]{
//		Name: "fulfilment",
//		Steps: []saga.Step[Order]{
//			{Name: "reserve", Do: reserve, Undo: release},
//			{Name: "pay", Do: pay, Undo: refund, Pivot: true},
//			{Name: "ship", Do: ship},
//		},
//		Done: closeOrder,
//	}, saga.Options{})
//	service.Go("fulfilment", fulfilment.Run)
//	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
//		… // write the order
//		return fulfilment.Start(ctx, tx, order.ID, order)
//	})
package saga

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/internal/lease"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables of sagas and their log, for database.Migrate; they are recorded apart from the service's own.
func Migrations() fs.FS {
	root, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return database.Named("saga", root)
}

// Options tune a Saga. The zero value is right for a service.
type Options struct {
	Workers   int                   // sagas that one process works on at a time; default 8
	Timeout   time.Duration         // of one attempt of a step that has none of its own; default 10s
	Retry     Retry                 // of a Do that can still be compensated; default 5 attempts, 1s doubled up to 30s
	Insist    Retry                 // of what must succeed: an Undo, a step after the pivot, Done; default 15 attempts, 1s doubled up to 1m
	Lease     time.Duration         // after which another process takes over from one that died or hangs; default 30s
	Poll      time.Duration         // how often to look for sagas that no commit here told of; default 1s
	Drain     time.Duration         // how long a step under way goes on after Run's context has ended; default 5s
	Retention time.Duration         // how long a finished saga, and with it the memory of its id, is kept; default 30 days
	Log       *slog.Logger          // default: slog.Default
	Registry  prometheus.Registerer // nil: no metrics
	Tracer    trace.TracerProvider  // default: the global provider
	Now       func() time.Time      // default: time.Now
}

func (o Options) withDefaults() Options {
	if o.Workers == 0 {
		o.Workers = 8
	}
	o.Retry = o.Retry.or(Retry{Attempts: 5, Backoff: time.Second, MaxBackoff: 30 * time.Second})
	o.Insist = o.Insist.or(Retry{Attempts: 15, Backoff: time.Second, MaxBackoff: time.Minute})
	for d, def := range map[*time.Duration]time.Duration{
		&o.Timeout: 10 * time.Second, &o.Lease: 30 * time.Second, &o.Poll: time.Second, &o.Drain: 5 * time.Second,
		&o.Retention: 30 * 24 * time.Hour,
	} {
		if *d == 0 {
			*d = def
		}
	}
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

// Saga starts and carries out the sagas of one definition, whose state is an S.
type Saga[S any] struct {
	db      *database.DB
	def     Definition[S]
	opt     Options
	queue   *lease.Queue
	metrics metrics
	tracer  trace.Tracer
}

// New makes the sagas of a definition in db, which has Migrations applied. The error says what is wrong with the definition.
func New[S any](db *database.DB, def Definition[S], opt Options) (*Saga[S], error) {
	if db == nil {
		return nil, errors.New("saga: it needs a database")
	}
	if err := def.validate(); err != nil {
		return nil, fmt.Errorf("saga %q: %w", def.Name, err)
	}
	opt = opt.withDefaults()
	opt.Log = opt.Log.With("saga", def.Name)
	metrics, err := newMetrics(opt.Registry)
	if err != nil {
		return nil, fmt.Errorf("saga %q: metrics: %w", def.Name, err)
	}
	queue := lease.New(lease.Options{
		DB: db, Table: "saga", Name: def.Name, Set: "attempts = attempts + 1",
		Workers: opt.Workers, Lease: opt.Lease, Poll: opt.Poll, Drain: opt.Drain, Log: opt.Log,
	})
	return &Saga[S]{
		db: db, def: def, opt: opt, queue: queue, metrics: metrics,
		tracer: opt.Tracer.Tracer("github.com/trellis-mesh/trellis/chassis/saga"),
	}, nil
}

// Start creates the saga called id in tx, so that it begins if and when tx commits. When there is one of this definition and id
// already, running or finished, Start does nothing. Its steps belong to the trace of ctx and have its request and correlation
// ids. Given the context of the transaction (DB.InTx), a Run in this process begins as soon as it is committed; else, and in
// other processes, within Options.Poll.
func (s *Saga[S]) Start(ctx context.Context, tx bun.IDB, id string, state S) error {
	if id == "" {
		return fmt.Errorf("start saga %s: it needs an id: that of the order, say, that it is about", s.def.Name)
	}
	data, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("start saga %s %s: its state: %w", s.def.Name, id, err)
	}
	now := s.opt.Now().UTC()
	r := row{
		Name: s.def.Name, ID: id, State: Running, Step: s.def.Steps[0].Name, Done: stack{}, Data: string(data),
		Since: now, Origin: telemetry.OriginOf(ctx), CreatedAt: now,
	}
	_, err = tx.NewInsert().Model(&r).Value("due_at", "?", s.queue.In(0)).On("CONFLICT DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("start saga %s %s: %w", s.def.Name, id, err)
	}
	database.AfterCommit(ctx, s.queue.Wake)
	return nil
}

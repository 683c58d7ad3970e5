package twophase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/internal/lease"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// Options tune a Coordinator. The zero value is right for a service.
type Options struct {
	Workers    int                   // transactions that one process works on at a time; default 8
	Prepare    time.Duration         // how long after Begin all must have voted yes, else it aborts; default 15s
	Timeout    time.Duration         // of one call of a participant; default 5s
	Backoff    time.Duration         // the wait after a failed call, doubled for each further one; default 100ms
	MaxBackoff time.Duration         // the longest wait; default 30s
	Lease      time.Duration         // after which another process takes over from one that died or hangs; default 30s
	Poll       time.Duration         // how often to look for transactions that no commit here told of; default 1s
	Drain      time.Duration         // how long calls under way go on after Run's context has ended; default 5s
	Retention  time.Duration         // how long a finished transaction is kept; default 30 days
	Log        *slog.Logger          // default: slog.Default
	Registry   prometheus.Registerer // nil: no metrics
	Tracer     trace.TracerProvider  // default: the global provider
	Now        func() time.Time      // default: time.Now
}

func (o Options) withDefaults() Options {
	if o.Workers == 0 {
		o.Workers = 8
	}
	defaultTo(&o.Prepare, 15*time.Second)
	defaultTo(&o.Timeout, 5*time.Second)
	defaultTo(&o.Backoff, 100*time.Millisecond)
	defaultTo(&o.MaxBackoff, 30*time.Second)
	defaultTo(&o.Lease, 30*time.Second)
	defaultTo(&o.Poll, time.Second)
	defaultTo(&o.Drain, 5*time.Second)
	defaultTo(&o.Retention, 30*24*time.Hour)
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

// Decided runs in the transaction that makes the decision, Commit or Abort, so that what it writes there (the order's status,
// an event in the outbox) comes true with it, once. It may do nothing beside the database. An error undoes the decision, which
// is then made again; a Commit only while there is time.
type Decided[D any] func(ctx context.Context, tx bun.Tx, id string, data D, decision Decision) error

type causeKey struct{}

// Cause is the text of the error for which the transaction aborts, in Decided; "" when it commits.
func Cause(ctx context.Context) string {
	cause, _ := ctx.Value(causeKey{}).(string)
	return cause
}

// Coordinator begins transactions and brings them to their end.
type Coordinator[D any] struct {
	db      *database.DB
	name    string
	members map[string]Participant[D]
	decided Decided[D]
	opt     Options
	queue   *lease.Queue
	metrics metrics
	tracer  trace.Tracer
}

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// New makes the coordinator called name in db, which has Migrations applied. The name is of lower-case letters, digits and
// dashes and begins the names that participants see. Decided may be nil.
func New[D any](db *database.DB, name string, participants map[string]Participant[D], decided Decided[D], opt Options) (*Coordinator[D], error) {
	switch {
	case db == nil:
		return nil, errors.New("twophase: it needs a database")
	case !validName.MatchString(name):
		return nil, fmt.Errorf("twophase: the name %q must be of lower-case letters, digits and dashes", name)
	case len(participants) == 0:
		return nil, fmt.Errorf("twophase: coordinator %s has no participants", name)
	}
	opt = opt.withDefaults()
	opt.Log = opt.Log.With("coordinator", name)
	metrics, err := newMetrics(opt.Registry)
	if err != nil {
		return nil, fmt.Errorf("twophase: metrics: %w", err)
	}
	queue := lease.New(lease.Options{
		DB: db, Table: "twophase", Name: name, Set: "attempts = attempts + 1",
		Workers: opt.Workers, Lease: opt.Lease, Poll: opt.Poll, Drain: opt.Drain, Log: opt.Log,
	})
	return &Coordinator[D]{
		db: db, name: name, members: maps.Clone(participants), decided: decided, opt: opt, queue: queue, metrics: metrics,
		tracer: opt.Tracer.Tracer("github.com/trellis-mesh/trellis/chassis/twophase"),
	}, nil
}

// State is where a transaction is.
type State string

// The states of a transaction. In Committing and Aborting it is decided; in Committed and Aborted all participants know.
const (
	Preparing  State = "preparing"
	Committing State = "committing"
	Aborting   State = "aborting"
	Committed  State = "committed"
	Aborted    State = "aborted"
)

func (s State) decision() Decision {
	switch s {
	case Committing, Committed:
		return Commit
	case Aborting, Aborted:
		return Abort
	}
	return Undecided
}

type row struct {
	bun.BaseModel `bun:"table:twophase,alias:twophase"`

	Name       string `bun:",pk"`
	ID         string `bun:",pk"`
	State      State
	Data       string
	Members    names
	Pending    names // who has yet to be told the decision
	Attempts   int
	Cause      string // why it aborts
	LastError  string
	Origin     origin
	CreatedAt  time.Time
	Deadline   time.Time // after which it is not decided to commit any more
	DecidedAt  time.Time `bun:",nullzero"`
	FinishedAt time.Time `bun:",nullzero"`
	Fence      int64
	DueAt      time.Time `bun:",nullzero"`
}

func (r *row) txn() string { return r.Name + "/" + r.ID }

// names is a list of participants, in the table as JSON.
type names []string

// origin is the request that began a transaction.
type origin struct {
	Trace       map[string]string `json:"trace,omitempty"`
	Request     string            `json:"request,omitempty"`
	Correlation string            `json:"correlation,omitempty"`
}

func (o origin) context(ctx context.Context) context.Context {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(o.Trace))
	if o.Request == "" && o.Correlation == "" {
		return ctx
	}
	return telemetry.WithIDs(ctx, telemetry.IDs{Request: o.Request, Correlation: o.Correlation})
}

// Begin writes down the transaction called id and its participants, all that the coordinator knows or those named, in tx: it
// starts if and when tx commits. When there is one of this id already, Begin does nothing, but gives ErrAborted when somebody
// has been told already that it is aborted. Given the context of the transaction (DB.InTx), a Run in this process begins as
// soon as it is committed; else, and in other processes, within Options.Poll.
func (c *Coordinator[D]) Begin(ctx context.Context, tx bun.IDB, id string, data D, participants ...string) error {
	r, err := c.newRow(ctx, id, data, participants)
	if err != nil {
		return fmt.Errorf("begin %s/%s: %w", c.name, id, err)
	}
	result, err := tx.NewInsert().Model(&r).Value("due_at", "?", c.queue.In(0)).On("CONFLICT DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("begin %s: %w", r.txn(), err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		database.AfterCommit(ctx, c.queue.Wake)
		return err
	}
	existing := row{Name: c.name, ID: id}
	if err := tx.NewSelect().Model(&existing).Column("members").WherePK().Scan(ctx); err != nil {
		return fmt.Errorf("begin %s: %w", r.txn(), err)
	}
	if len(existing.Members) == 0 {
		return fmt.Errorf("begin %s: %w before it was begun", r.txn(), ErrAborted)
	}
	return nil
}

func (c *Coordinator[D]) newRow(ctx context.Context, id string, data D, participants []string) (row, error) {
	if id == "" {
		return row{}, errors.New("it needs an id: that of the order, say, that it is about")
	}
	if len(participants) == 0 {
		participants = slices.Sorted(maps.Keys(c.members))
	}
	for _, name := range participants {
		if c.members[name] == nil {
			return row{}, fmt.Errorf("participant %s is not known; there are %s", name, strings.Join(slices.Sorted(maps.Keys(c.members)), ", "))
		}
	}
	text, err := json.Marshal(data)
	if err != nil {
		return row{}, fmt.Errorf("its data: %w", err)
	}
	ids := telemetry.ContextIDs(ctx)
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	now := c.opt.Now().UTC()
	return row{
		Name: c.name, ID: id, State: Preparing, Data: string(text), Members: participants, Pending: names{}, CreatedAt: now,
		Deadline: now.Add(c.opt.Prepare), Origin: origin{Trace: carrier, Request: ids.Request, Correlation: ids.Correlation},
	}, nil
}

// Package outbox publishes events exactly when the transaction that made them commits, and makes the effect of a consumed
// event happen once.
//
// Writing to a database and publishing to Kafka are two steps; a crash between them loses the event or announces what never
// happened. So Append stores events in the transaction of the change itself, and a relay, run by every process of the
// service, publishes what is stored: at least once, in order for each key, however many relays there are and whenever any of
// them, the broker or the database dies. The Inbox of a consumer drops what comes twice.
//
// Order is that of the appends, so append after the aggregate's row has been written (its lock then decides who is first).
//
//	box, err := outbox.New(db, publisher, outbox.Options{})
//	go box.Run(ctx)
//	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
//		… // write the order
//		return box.Append(ctx, tx, orderCreated)
//	})
package outbox

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables of outbox and inbox, for database.Migrate; they are recorded apart from the service's own.
func Migrations() fs.FS {
	root, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return database.Named("outbox", root)
}

// Options tune an Outbox. The zero value is right for a service.
type Options struct {
	Batch        int                   // events published together; default 100
	Poll         time.Duration         // how often the relay looks for events that no commit here told of; default 1s
	Timeout      time.Duration         // of publishing one batch, during which its buckets are held; default 10s
	Attempts     int                   // refusals of an event before it is dead; default 10
	Backoff      time.Duration         // the wait after its first refusal, doubled for each further one; default 1s
	MaxBackoff   time.Duration         // the longest wait; default 1m
	Retention    time.Duration         // how long published events are kept; default 24h
	FlushTimeout time.Duration         // how long Run goes on publishing after its context has ended; default 5s
	Log          *slog.Logger          // default: slog.Default
	Registry     prometheus.Registerer // nil: no metrics
	Now          func() time.Time      // default: time.Now
}

func (o Options) withDefaults() Options {
	if o.Batch == 0 {
		o.Batch = 100
	}
	if o.Attempts == 0 {
		o.Attempts = 10
	}
	for d, def := range map[*time.Duration]time.Duration{
		&o.Poll: time.Second, &o.Timeout: 10 * time.Second, &o.Backoff: time.Second, &o.MaxBackoff: time.Minute,
		&o.Retention: 24 * time.Hour, &o.FlushTimeout: 5 * time.Second,
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
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Outbox stores events with the change they tell of, and relays them.
type Outbox struct {
	db      *database.DB
	pub     event.Publisher
	opt     Options
	metrics metrics
	wake    chan struct{}

	mu   sync.Mutex // one batch at a time
	pass pass
}

// New makes the outbox of db, which has Migrations applied.
func New(db *database.DB, pub event.Publisher, opt Options) (*Outbox, error) {
	if db == nil || pub == nil {
		return nil, errors.New("outbox: it needs a database and a publisher")
	}
	opt = opt.withDefaults()
	metrics, err := newMetrics(opt.Registry)
	if err != nil {
		return nil, fmt.Errorf("outbox: metrics: %w", err)
	}
	return &Outbox{db: db, pub: pub, opt: opt, metrics: metrics, wake: make(chan struct{}, 1)}, nil
}

// row is an event in the table. It is pending until it has PublishedAt. A row with a RetryAt to come, or a DeadAt, blocks
// the later ones of its key.
type row struct {
	bun.BaseModel `bun:"table:outbox,alias:o"`

	ID          int64 `bun:",pk,autoincrement"`
	EventID     string
	Type        string
	Key         string
	Bucket      int
	Event       string // as JSON, with the trace and the ids of the request that made it
	CreatedAt   time.Time
	RetryCount  int
	LastError   string
	RetryAt     time.Time `bun:",nullzero"`
	DeadAt      time.Time `bun:",nullzero"`
	PublishedAt time.Time `bun:",nullzero"`
}

const buckets = 32 // as in the migrations

// Append stores the events in tx, with the trace, request id and correlation id of ctx. Given the context of the
// transaction (DB.InTx), the relay here starts to publish as soon as it is committed; else, within Options.Poll.
func (o *Outbox) Append(ctx context.Context, tx bun.IDB, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := make([]row, len(events))
	for i, e := range events {
		r, err := o.row(ctx, e)
		if err != nil {
			return fmt.Errorf("append %s to the outbox: %w", e.Type(), err)
		}
		rows[i] = r
	}
	if _, err := tx.NewInsert().Model(&rows).Column("event_id", "type", "key", "bucket", "event", "created_at").Exec(ctx); err != nil {
		return fmt.Errorf("append %s to the outbox: %w", events[0].Type(), err)
	}
	database.AfterCommit(ctx, o.stir)
	return nil
}

func (o *Outbox) row(ctx context.Context, e event.Event) (row, error) {
	e = event.Inject(ctx, e)
	if e.Source() == "" {
		e.SetSource(noSource)
	}
	if err := e.Validate(); err != nil {
		return row{}, err
	}
	text, err := e.MarshalJSON()
	if err != nil {
		return row{}, err
	}
	key := e.Subject()
	if key == "" { // it has no order to keep
		key = e.ID()
	}
	return row{EventID: e.ID(), Type: e.Type(), Key: key, Bucket: bucketOf(key), Event: string(text), CreatedAt: o.opt.Now().UTC()}, nil
}

// noSource stands in the table for the source that the publisher will set: a stored event needs one to be readable.
const noSource = "urn:trellis:publisher"

// stored reads an event as row wrote it.
func stored(text string) (e event.Event, err error) {
	if err := e.UnmarshalJSON([]byte(text)); err != nil {
		return event.Event{}, err
	}
	if e.Source() == noSource {
		attributes := e.Context.AsV1()
		attributes.Source = types.URIRef{}
		e.Context = attributes
	}
	return e, nil
}

func bucketOf(key string) int {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(key)) // it never fails
	return int(hash.Sum32() % buckets)
}

// stir wakes the relay.
func (o *Outbox) stir() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

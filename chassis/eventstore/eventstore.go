// Package eventstore keeps what happened to aggregates as events, from which their state is computed: as it is now, as it
// was at any moment, and as read models beside it.
//
// A stream is the events of one aggregate, with versions 1, 2, 3 … of its own. An append names the version that it was
// decided on; when another was faster it is refused with ErrConflict. All events also have a position in the whole store.
// Positions become visible in their order, since an append holds the store's head until it is committed: a reader that has
// seen position n never misses a smaller one. So appends go one after another; a transaction should append as its last step.
//
//	types := eventstore.NewTypes()
//	eventstore.Define[Deposited](types, "money.deposited", 1)
//	store, err := eventstore.New(db, types, eventstore.Options{})
//	accounts, err := eventstore.NewRepository(store, eventstore.Aggregate[Account]{Name: "account", Apply: apply})
//	commit, err := accounts.Update(ctx, "42", func(a *Account) ([]any, error) { return a.Deposit(500) })
//	…
//	err = projector.WaitFor(ctx, "balances", commit.Position) // read your own write
//
// Events are never changed or deleted. When the shape of one changes, its type gets a new version and an Upcast. It is no
// message broker: other services learn of events through the outbox, in the same transaction.
package eventstore

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/database"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables of the store, for database.Migrate; they are recorded apart from the service's own.
func Migrations() fs.FS {
	root, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return database.Named("eventstore", root)
}

// Options tune a Store. The zero value is right for a service.
type Options struct {
	Log      *slog.Logger          // default: slog.Default
	Registry prometheus.Registerer // nil: no metrics
	Now      func() time.Time      // default: time.Now
}

func (o Options) withDefaults() Options {
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

// Store is the streams of one database.
type Store struct {
	db      *database.DB
	types   *Types
	opt     Options
	metrics metrics
	changed signal // after each commit of an append here
}

// New makes the store in db, which has Migrations applied. It fails when a type lacks an upcast from one of its versions.
func New(db *database.DB, types *Types, opt Options) (*Store, error) {
	if db == nil || types == nil {
		return nil, errors.New("eventstore: it needs a database and types")
	}
	if err := types.check(); err != nil {
		return nil, fmt.Errorf("eventstore: %w", err)
	}
	opt = opt.withDefaults()
	metrics, err := newMetrics(opt.Registry)
	if err != nil {
		return nil, fmt.Errorf("eventstore: metrics: %w", err)
	}
	return &Store{db: db, types: types, opt: opt, metrics: metrics}, nil
}

// now is the time as both kinds of database keep it.
func (s *Store) now() time.Time { return s.opt.Now().UTC().Truncate(time.Microsecond) }

// signal wakes all who wait for something to change.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// next gives a channel that is closed at the next change.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

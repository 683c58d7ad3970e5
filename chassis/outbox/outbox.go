// Package outbox publishes events exactly when the transaction that made them commits.
package outbox

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
)

// Options tune an Outbox. The zero value is right for a service.
type Options struct {
	Batch        int           // events published together; default 100
	Poll         time.Duration // how often the relay looks for events that no commit told of; default 1s
	Timeout      time.Duration // of publishing one batch; default 10s
	Attempts     int           // before an event that the broker refuses is dead; default 10
	Retention    time.Duration // how long published events are kept; default 24h
	FlushTimeout time.Duration // how long Run goes on publishing after its context ended; default 5s
	Log          *slog.Logger
	Registry     prometheus.Registerer
}

// Outbox appends events to the database and relays them.
type Outbox struct{}

var errUnfinished = errors.New("unfinished")

// New checks the options.
func New(db *database.DB, pub event.Publisher, opt Options) (*Outbox, error) {
	return nil, errUnfinished
}

// Append stores the events in tx.
func (o *Outbox) Append(ctx context.Context, tx bun.IDB, events ...event.Event) error {
	return errUnfinished
}

// Run relays until ctx ends, then publishes what is left for at most FlushTimeout.
func (o *Outbox) Run(ctx context.Context) error { return errUnfinished }

// Inbox makes the effect of an event happen once.
type Inbox struct{}

// NewInbox is the inbox of one consumer (a group).
func NewInbox(db *database.DB, consumer string) *Inbox { return &Inbox{} }

// Once runs fn in a transaction unless the event was handled before.
func (i *Inbox) Once(ctx context.Context, e event.Event, fn func(ctx context.Context, tx bun.Tx) error) error {
	return errUnfinished
}

// Migrations are the tables of outbox and inbox, for database.Migrate.
func Migrations() fs.FS { return fstest.MapFS{} }

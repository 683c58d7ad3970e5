// Package database opens a service's relational database by URL and gives it the three things every service needs:
// a pool with safe limits and metrics, transactions by closure, and migrations that are atomic.
//
// PostgreSQL (pgx) serves production, SQLite (modernc, no cgo) a developer's machine and unit tests; both are spoken to
// through bun. It is no repository layer and hides no SQL: a DB is a *bun.DB.
//
//	db, err := database.Open(ctx, "postgres://orders@db/orders", database.Options{})
//	err = database.Migrate(ctx, db, migrations.FS)
//	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
//		_, err := tx.NewInsert().Model(&order).Exec(ctx)
//		return err
//	})
package database

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/trace"
)

// The kinds of database, as DB.Kind gives them.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// Options tune a pool. The zero value is right for a service.
type Options struct {
	Name         string                // the label "database" of the metrics; default: the database's name
	MaxOpen      int                   // connections; default 20
	MaxIdle      int                   // kept open while unused; default MaxOpen
	MaxLifetime  time.Duration         // a connection is renewed after it; default 30m
	MaxIdleTime  time.Duration         // an unused connection is closed after it; default 5m
	PingTimeout  time.Duration         // limit of Open's first contact; default 5s
	TxAttempts   int                   // how often InTx runs a closure that loses to a concurrent one; default 5
	Registry     prometheus.Registerer // where pool metrics go; nil: none
	TracerSource trace.TracerProvider  // default: the global provider
}

// DB is a database of one service.
type DB struct {
	*bun.DB
	kind string
}

var errUnfinished = errors.New("unfinished")

// Open connects to url and checks that the database answers: postgres://user@host/name, sqlite:///path/to/file or sqlite://:memory:.
func Open(ctx context.Context, url string, opt Options) (*DB, error) { return nil, errUnfinished }

// Kind is Postgres or SQLite.
func (db *DB) Kind() string { return db.kind }

// InTx runs fn in a transaction.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	return errUnfinished
}

// AfterCommit runs fn once the transaction of ctx is committed; outside a transaction at once.
func AfterCommit(ctx context.Context, fn func()) { fn() }

// Migrate applies the migrations of fsys that the database has not seen yet.
func Migrate(ctx context.Context, db *DB, fsys fs.FS) error { return errUnfinished }

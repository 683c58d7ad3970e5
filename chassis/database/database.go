// Package database opens a service's relational database by URL and gives it what every service needs: a pool with
// safe limits, metrics and spans; transactions by closure; and migrations that are atomic.
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
	"database/sql"
	"errors"
	"fmt"
	"strings"
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
	Name        string                // label "database" of the metrics; default: the database's name
	MaxOpen     int                   // connections, at least 2; default 20, SQLite 4
	MaxIdle     int                   // kept open while unused; default MaxOpen
	MaxLifetime time.Duration         // a connection is renewed after it; default 30m
	MaxIdleTime time.Duration         // an unused connection is closed after it; default 5m
	PingTimeout time.Duration         // how long Open waits for the database to answer; default 5s
	TxAttempts  int                   // how often InTx runs a closure that loses against a concurrent one; default 5
	Registry    prometheus.Registerer // where pool metrics go; nil: none
	Tracer      trace.TracerProvider  // default: the global provider
}

func (o Options) withDefaults(kind string) Options {
	if o.MaxOpen == 0 {
		o.MaxOpen = 20
		if kind == SQLite {
			o.MaxOpen = 4
		}
	}
	o.MaxOpen = max(o.MaxOpen, 2) // Lock holds one connection while its owner works on another
	if o.MaxIdle == 0 {
		o.MaxIdle = o.MaxOpen
	}
	defaultTo(&o.MaxLifetime, 30*time.Minute)
	defaultTo(&o.MaxIdleTime, 5*time.Minute)
	defaultTo(&o.PingTimeout, 5*time.Second)
	if o.TxAttempts == 0 {
		o.TxAttempts = 5
	}
	return o
}

func defaultTo(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}

// DB is the database of one service.
type DB struct {
	*bun.DB
	kind     string
	attempts int
	writer   chan struct{} // SQLite has one writer: InTx queues here, in order, instead of polling the file's lock
	locks    locks
	metrics  *poolMetrics
}

// Kind is Postgres or SQLite.
func (db *DB) Kind() string { return db.kind }

// ForUpdate has a query of a transaction lock the rows that it finds until the transaction ends, and gives the query. SQLite
// needs no such lock: it has one writer, and its transactions are it from the beginning.
func (db *DB) ForUpdate(query *bun.SelectQuery) *bun.SelectQuery {
	if db.kind == Postgres {
		return query.For("UPDATE")
	}
	return query
}

// Open connects to url and waits, at most PingTimeout, until the database answers. The URL is one of
//
//	postgres://user:password@host:5432/name?sslmode=…   as pgx reads it
//	sqlite:///absolute/path.db, sqlite://relative.db     created when missing
//	sqlite://:memory:                                    gone when closed
//
// No error of Open shows the password.
func Open(ctx context.Context, url string, opt Options) (*DB, error) {
	kind, pool, name, err := connect(url)
	if err != nil {
		return nil, err
	}
	if opt.Name == "" {
		opt.Name = name
	}
	db := newDB(kind, pool, url, opt.withDefaults(kind))
	if err := ping(ctx, pool, opt.withDefaults(kind).PingTimeout); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %q: no answer: %w; is it running, and is database.url right?", name, err), db.Close())
	}
	if err := db.metrics.register(opt.Registry); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %q: metrics: %w", name, err), db.Close())
	}
	return db, nil
}

func connect(url string) (kind string, pool *sql.DB, name string, err error) {
	scheme, _, _ := strings.Cut(url, "://")
	switch scheme {
	case "postgres", "postgresql":
		pool, name, err = openPostgres(url)
		return Postgres, pool, name, err
	case "sqlite":
		pool, name, err = openSQLite(url)
		return SQLite, pool, name, err
	}
	return "", nil, "", fmt.Errorf("open database: scheme %q is not known: use postgres://… or sqlite://…", scheme)
}

func newDB(kind string, pool *sql.DB, url string, opt Options) *DB {
	pool.SetMaxOpenConns(opt.MaxOpen)
	pool.SetMaxIdleConns(opt.MaxIdle)
	pool.SetConnMaxLifetime(opt.MaxLifetime)
	pool.SetConnMaxIdleTime(opt.MaxIdleTime)
	metrics := newPoolMetrics(opt.Name, pool)
	db := &DB{
		DB:   bun.NewDB(pool, dialectOf(kind)).WithQueryHook(newQueryHook(kind, opt, metrics)),
		kind: kind, attempts: opt.TxAttempts, writer: make(chan struct{}, 1), metrics: metrics,
	}
	db.locks.path = sqlitePath(url)
	if inMemory(url) { // the data lives as long as one connection does
		pool.SetConnMaxLifetime(0)
		pool.SetConnMaxIdleTime(0)
	}
	return db
}

// Close waits for the queries under way and closes the pool.
func (db *DB) Close() error {
	db.metrics.unregister()
	return errors.Join(db.locks.close(), db.DB.Close())
}

// ping waits until the database answers, so that a service and its database may start together. A database that
// answers with a refusal is not asked again.
func ping(ctx context.Context, pool *sql.DB, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := pool.PingContext(ctx)
		if err == nil || !Away(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

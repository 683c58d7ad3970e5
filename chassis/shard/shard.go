// Package shard spreads the rows of one kind over several databases, and moves them between databases while they are read
// and written.
//
// A Strategy puts every key into a partition: a hash slot, a range of first letters, a region. Partitions, not keys, have an
// owner: exactly one database at a time takes writes for a partition. Which one it is stands in that database itself and is
// checked within the transaction of every write, so a replica whose idea of it is outdated is refused by the database that it
// writes to, looks again and writes to the right one. The directory, in one of the databases, only says where to look first.
//
//	router, err := shard.New(ctx, map[string]*database.DB{"s1": db1, "s2": db2}, shard.Hash(1024), shard.Options{
//		Directory: "s1", Tables: []shard.Table{{Name: "users", ID: "id"}},
//	})
//	err = router.Write(ctx, shard.Key{ID: user.ID}, func(ctx context.Context, tx bun.Tx) error {
//		user.Partition = …               // router.Partition; every table has this column, with an index
//		_, err := tx.NewInsert().Model(&user).Exec(ctx)
//		return err
//	})
//	users, err := shard.Gather(ctx, router, shard.Query[User]{Select: …, Compare: …, Limit: 50})
//	moved, err := router.Rebalance(ctx)   // after a shard was added
//
// It is no distributed database: a transaction is of one database, and constraints such as unique columns hold within one.
package shard

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables that every shard needs, for database.Migrate; they are recorded apart from the service's own.
func Migrations() fs.FS {
	root, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return database.Named("shard", root)
}

var (
	// ErrBusy is a write that came while its partition changed its database, or whose move is broken off, and that waited
	// for Options.Patience: nothing was written. Resume finishes moves.
	ErrBusy = problem.Unavailable("shard_busy", "The data is being moved. Try again later.").WithRetryAfter(time.Second)
	// ErrUnknownShard is a shard that this replica has no database of.
	ErrUnknownShard = errors.New("the shard is not configured here")
)

// Table is a table whose rows move with their key. It has a column for the partition (Options.Column), with an index, and
// no foreign key to a table that comes after it. The ID columns of all tables are of one type; ids that a database counts by
// itself would come twice, so take UUIDs.
type Table struct {
	Name string
	ID   string // the column with Key.ID
}

// Key says which row is meant.
type Key struct {
	ID string // what the tables have in their ID column
	By string // what the strategy looks at: a name, a region; empty: ID
}

// Options tune a Router. Directory and Tables are needed.
type Options struct {
	Directory string  // the shard whose database says where partitions are; the same for ever
	Tables    []Table // what is sharded; parents before children
	Column    string  // of the tables, with the partition; default "partition"

	Concurrency int                   // shards asked at a time by a Gather; default 8
	Timeout     time.Duration         // of one shard's answer to a Gather; default 5s
	Patience    time.Duration         // how long a read or write waits while its partition changes its shard; default 10s
	Batch       int                   // keys copied in one transaction; default 500
	Log         *slog.Logger          // default: slog.Default
	Registry    prometheus.Registerer // nil: no metrics
}

func (o Options) withDefaults() Options {
	if o.Column == "" {
		o.Column = "partition"
	}
	for n, def := range map[*int]int{&o.Concurrency: 8, &o.Batch: 500} {
		if *n == 0 {
			*n = def
		}
	}
	for d, def := range map[*time.Duration]time.Duration{&o.Timeout: 5 * time.Second, &o.Patience: 10 * time.Second} {
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
	return o
}

// Router sends reads and writes to the database that owns their partition.
type Router struct {
	shards    map[string]*database.DB
	names     []string // sorted
	strategy  Strategy
	opt       Options
	directory *database.DB
	metrics   metrics

	mu     sync.Mutex
	owners map[string]string // partition to shard, as last seen; it may be outdated

	step func(at string) error // called by a move after each of its steps; tests end it there
}

// New makes the router of the shards, by their names, which have Migrations applied. The first one ever lays the partitions
// out as the strategy says; later ones take them as they are. It fails when they were laid out by another strategy.
func New(ctx context.Context, shards map[string]*database.DB, strategy Strategy, opt Options) (*Router, error) {
	opt = opt.withDefaults()
	directory := shards[opt.Directory]
	switch {
	case strategy == nil || len(opt.Tables) == 0:
		return nil, errors.New("shard: it needs a strategy and tables")
	case directory == nil:
		return nil, fmt.Errorf("shard: the directory is in shard %q: %w", opt.Directory, ErrUnknownShard)
	}
	for name, db := range shards {
		if db == nil || db.Kind() != directory.Kind() {
			return nil, fmt.Errorf("shard: %s: all shards are databases of one kind", name)
		}
	}
	metrics, err := newMetrics(opt.Registry)
	if err != nil {
		return nil, fmt.Errorf("shard: metrics: %w", err)
	}
	r := &Router{
		shards: maps.Clone(shards), names: slices.Sorted(maps.Keys(shards)), strategy: strategy, opt: opt, directory: directory,
		metrics: metrics, owners: map[string]string{}, step: func(string) error { return nil },
	}
	if err := r.layOut(ctx); err != nil {
		return nil, fmt.Errorf("shard: lay out: %w", err)
	}
	return r, nil
}

// Partition gives the partition of a key, for the tables' column.
func (r *Router) Partition(key Key) (string, error) {
	by := key.By
	if by == "" {
		by = key.ID
	}
	return r.strategy.Partition(by)
}

// Owner gives the shard that a key was last seen on. Another replica may move it at any moment: Write and Read notice.
func (r *Router) Owner(key Key) (string, error) {
	partition, err := r.Partition(key)
	if err != nil {
		return "", err
	}
	return r.owner(partition), nil
}

func (r *Router) owner(partition string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owners[partition]
}

func (r *Router) setOwner(partition, shard string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owners[partition] = shard
}

func (r *Router) shard(name string) (*database.DB, error) {
	db := r.shards[name]
	if db == nil {
		return nil, fmt.Errorf("shard %s: %w: configure it on every replica", name, ErrUnknownShard)
	}
	return db, nil
}

// Write runs fn in a transaction of the database that owns the key, as database.InTx does. fn changes rows of the key only,
// since only they are copied again when the partition is on the move.
func (r *Router) Write(ctx context.Context, key Key, fn func(ctx context.Context, tx bun.Tx) error) error {
	return r.route(ctx, key, func(partition, name string, db *database.DB) error {
		return db.InTx(context.WithValue(ctx, nameKey{}, name), func(ctx context.Context, tx bun.Tx) error {
			if err := fence(ctx, db, tx, partition, key.ID); err != nil {
				return err
			}
			return fn(ctx, tx)
		})
	})
}

type nameKey struct{}

// Name gives the shard that the transaction of a Write is of, by the context that its function gets: which outbox to append to.
func Name(ctx context.Context) string {
	name, _ := ctx.Value(nameKey{}).(string)
	return name
}

// Read runs fn with a read-only transaction of the database that owns the key. It sees one state of the database, in which
// the key's rows are all there.
func (r *Router) Read(ctx context.Context, key Key, fn func(ctx context.Context, tx bun.Tx) error) error {
	return r.route(ctx, key, func(partition, _ string, db *database.DB) error {
		return snapshot(ctx, db, func(tx bun.Tx) error {
			readable, err := owned(ctx, tx, []string{partition})
			if err != nil {
				return err
			}
			if len(readable) == 0 {
				return errElsewhere
			}
			return fn(ctx, tx)
		})
	})
}

// route calls use with the database of the key, again as long as the partition turns out to be elsewhere or on its way.
func (r *Router) route(ctx context.Context, key Key, use func(partition, shard string, db *database.DB) error) error {
	partition, err := r.Partition(key)
	if err != nil {
		return err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, r.opt.Patience)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		name := r.owner(partition)
		db, err := r.shard(name)
		if err != nil {
			return fmt.Errorf("partition %s: %w", partition, err)
		}
		err = use(partition, name, db)
		if !errors.Is(err, errElsewhere) && !errors.Is(err, errFrozen) {
			return err
		}
		r.metrics.redirects.Inc()
		if errors.Is(err, errElsewhere) {
			if err = r.locate(ctx, partition); err == nil && r.owner(partition) != name {
				continue
			}
		}
		if err != nil && !errors.Is(err, errFrozen) && !errors.Is(err, errElsewhere) && ctx.Err() == nil {
			return fmt.Errorf("look for partition %s: %w", partition, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("partition %s on shard %s: %w", partition, name, cmp.Or(caller.Err(), error(ErrBusy)))
		case <-time.After(pause):
		}
	}
}

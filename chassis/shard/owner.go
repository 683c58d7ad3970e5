package shard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

var (
	errElsewhere = errors.New("the partition is on another shard")
	errFrozen    = errors.New("the partition is about to leave the shard")
)

// The states of a partition in a shard. A move takes it in the source from owned over sending and frozen to left, and in
// the target from receiving to owned. That the source has it as left is the moment of the change: from then on the source
// never writes, and the target may.
const (
	stateOwned     = "owned"
	stateSending   = "sending"   // owned; keys written are marked dirty, since they may have been copied before
	stateFrozen    = "frozen"    // owned, but not written: the last dirty keys are copied
	stateLeft      = "left"      // peer has it, with the next epoch; rows here are only remains
	stateReceiving = "receiving" // not owned yet; rows here are copies
)

// ownership is a partition in one shard. Its epoch grows with every move.
type ownership struct {
	bun.BaseModel `bun:"table:shard_partition"`

	Name    string `bun:",pk"`
	State   string
	Epoch   int64
	Peer    string
	Attempt int64  // the last mover that may work here
	Cursor  string // of a receiving one: where the copying has got to
}

type directoryRow struct {
	bun.BaseModel `bun:"table:shard_directory"`

	Partition string `bun:",pk"`
	Shard     string
	Epoch     int64
	Attempt   int64
}

// lockKey is the partition's advisory lock in PostgreSQL. Two partitions with the same one only wait for each other.
func lockKey(partition string) int64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte("trellis:shard:" + partition)) // it never fails
	return int64(hash.Sum64())                              //nolint:gosec // any 64 bits do
}

// fence lets a write into partition pass if this database owns it, and keeps the owner from changing until the transaction
// ends: a change waits for the lock, which writes share. The lock is fair, so writes cannot keep a change waiting for ever;
// SQLite's only writer needs none.
func fence(ctx context.Context, db *database.DB, tx bun.Tx, partition, id string) error {
	if db.Kind() == database.Postgres {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock_shared(?)", lockKey(partition)); err != nil {
			return fmt.Errorf("lock partition %s: %w", partition, err)
		}
	}
	o, err := ownershipIn(ctx, tx, partition)
	if err != nil {
		return fmt.Errorf("read the owner of partition %s: %w", partition, err)
	}
	switch o.State {
	case stateOwned:
		return nil
	case stateSending:
		return markDirty(ctx, tx, partition, id)
	case stateFrozen:
		return errFrozen
	}
	return errElsewhere
}

// markDirty has the move copy the key again. Every mark is another, so that the mover takes away only one that it has seen.
func markDirty(ctx context.Context, tx bun.IDB, partition, id string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO shard_dirty (partition, id, mark) VALUES (?, ?, ?)
		ON CONFLICT (partition, id) DO UPDATE SET mark = EXCLUDED.mark`, partition, id, rand.Int64()) //nolint:gosec // nothing secret
	if err != nil {
		return fmt.Errorf("mark %s: %w", id, err)
	}
	return nil
}

// exclusive keeps writes out of a partition until the transaction ends. Those under way are waited for, a while.
func exclusive(ctx context.Context, db *database.DB, tx bun.Tx, partition string) error {
	if db.Kind() != database.Postgres {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '5s'"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", lockKey(partition)); err != nil {
		return fmt.Errorf("wait for writes of partition %s: %w", partition, err)
	}
	return nil
}

func ownershipIn(ctx context.Context, db bun.IDB, partition string) (o ownership, err error) {
	err = db.NewSelect().Model(&o).Where("name = ?", partition).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return ownership{}, nil
	}
	return o, err
}

// owned gives those of the partitions whose rows this database has whole.
func owned(ctx context.Context, tx bun.IDB, partitions []string) (names []string, err error) {
	err = tx.NewSelect().Model((*ownership)(nil)).Column("name").Where("name IN (?)", bun.List(partitions)).
		Where("state IN (?)", bun.List([]string{stateOwned, stateSending, stateFrozen})).Scan(ctx, &names)
	return names, err
}

// snapshot runs fn in a read-only transaction that sees one state of the database.
func snapshot(ctx context.Context, db *database.DB, fn func(tx bun.Tx) error) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: isolation(db), ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to commit
	return fn(tx)
}

func isolation(db *database.DB) sql.IsolationLevel {
	if db.Kind() == database.Postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault // SQLite's reading transactions always do
}

// layOut gives each partition its home, once and for all, and reads where they are.
func (r *Router) layOut(ctx context.Context) error {
	var rows []directoryRow
	err := r.directory.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO shard_layout (strategy) VALUES (?) ON CONFLICT DO NOTHING", r.strategy.Name()); err != nil {
			return err
		}
		var layouts []string
		if err := tx.NewSelect().Table("shard_layout").Column("strategy").OrderExpr("strategy").Scan(ctx, &layouts); err != nil {
			return err
		}
		if len(layouts) > 1 {
			return fmt.Errorf("the shards were laid out by another strategy than %s: %q", r.strategy.Name(), layouts)
		}
		if err := r.assign(ctx, tx); err != nil {
			return err
		}
		rows = nil
		return tx.NewSelect().Model(&rows).Scan(ctx)
	})
	if err != nil {
		return err
	}
	return r.settle(ctx, rows)
}

// assign gives the partitions that have none a home: all of them in the beginning, a new region later.
func (r *Router) assign(ctx context.Context, tx bun.Tx) error {
	var known []string
	if err := tx.NewSelect().Model((*directoryRow)(nil)).Column("partition").Scan(ctx, &known); err != nil {
		return err
	}
	var rows []directoryRow
	for _, partition := range r.strategy.Partitions() {
		if slices.Contains(known, partition) {
			continue
		}
		home, err := r.strategy.Home(partition, r.names)
		if err != nil {
			return err
		}
		if _, err := r.shard(home); err != nil {
			return fmt.Errorf("home of partition %s: %w", partition, err)
		}
		rows = append(rows, directoryRow{Partition: partition, Shard: home, Epoch: 1})
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := tx.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx)
	return err
}

// settle has each shard know what it was given in the beginning. A partition that has moved since is known already.
func (r *Router) settle(ctx context.Context, rows []directoryRow) error {
	of := map[string][]ownership{}
	for _, row := range rows {
		if _, err := r.shard(row.Shard); err != nil {
			return fmt.Errorf("partition %s: %w", row.Partition, err)
		}
		r.setOwner(row.Partition, row.Shard)
		if row.Epoch == 1 {
			of[row.Shard] = append(of[row.Shard], ownership{Name: row.Partition, State: stateOwned, Epoch: 1})
		}
	}
	for name, first := range of {
		var known []string
		if err := r.shards[name].NewSelect().Model((*ownership)(nil)).Column("name").Scan(ctx, &known); err != nil {
			return fmt.Errorf("shard %s: %w", name, err)
		}
		first = slices.DeleteFunc(first, func(o ownership) bool { return slices.Contains(known, o.Name) })
		if len(first) == 0 {
			continue
		}
		err := r.shards[name].InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&first).On("CONFLICT DO NOTHING").Exec(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("shard %s: %w", name, err)
		}
	}
	return nil
}

// locate finds out who owns a partition: from where the directory says, along the traces that moves have left.
func (r *Router) locate(ctx context.Context, partition string) error {
	var row directoryRow
	if err := r.directory.NewSelect().Model(&row).Where("partition = ?", partition).Scan(ctx); err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	name := row.Shard
	var left ownership // where we come from
	for range 2 * (len(r.names) + 1) {
		db, err := r.shard(name)
		if err != nil {
			return err
		}
		o, err := ownershipIn(ctx, db, partition)
		switch {
		case err != nil:
			return fmt.Errorf("ask shard %s: %w", name, err)
		case o.State == stateOwned, o.State == stateSending, o.State == stateFrozen:
			r.setOwner(partition, name)
			return nil
		case o.State == stateLeft:
			left, name = o, o.Peer
		case o.State == stateReceiving && left.State == stateLeft && o.Epoch == left.Epoch+1:
			if err := activate(ctx, db, partition, o.Epoch); err != nil { // whoever moved it may be dead
				return err
			}
		default:
			return errElsewhere // it moves on while we look
		}
	}
	return errElsewhere
}

// activate has the target own a partition that the source has left.
func activate(ctx context.Context, db *database.DB, partition string, epoch int64) error {
	return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*ownership)(nil)).Set("state = ?", stateOwned).Set("cursor = ''").
			Where("name = ?", partition).Where("epoch = ?", epoch).Where("state = ?", stateReceiving).Exec(ctx)
		return err
	})
}

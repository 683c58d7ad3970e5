package shard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// errTaken ends a move that another process has taken over.
var errTaken = errors.New("another process has taken the move over")

// moveRow is a move under way.
type moveRow struct {
	bun.BaseModel `bun:"table:shard_move"`

	Partition string `bun:",pk"`
	Source    string
	Target    string
	Epoch     int64 // of the partition in the target
}

// Move gives a partition to another shard, while it is read and written. Writes to it wait for a moment near the end, while
// the last keys are copied. Killed at any moment, it is taken up by Resume, or by the same Move again. One move is under way
// at a time; another caller waits.
func (r *Router) Move(ctx context.Context, partition, to string) error {
	if _, err := r.shard(to); err != nil {
		return err
	}
	unlock, err := r.directory.Lock(ctx, "shard-move")
	if err != nil {
		return err
	}
	defer unlock()
	move, err := r.record(ctx, partition, to)
	if err != nil || move.Partition == "" {
		return err
	}
	return r.finish(ctx, move)
}

// Resume finishes the moves that were broken off. A service calls it at its start and now and then, in every replica.
func (r *Router) Resume(ctx context.Context) error {
	unlock, err := r.directory.Lock(ctx, "shard-move")
	if err != nil {
		return err
	}
	defer unlock()
	var moves []moveRow
	if err := r.directory.NewSelect().Model(&moves).OrderExpr("partition").Scan(ctx); err != nil {
		return fmt.Errorf("read the moves: %w", err)
	}
	var errs []error
	for _, move := range moves {
		errs = append(errs, r.finish(ctx, move))
	}
	return errors.Join(errs...)
}

// Rebalance moves each partition that is not on its home, as Strategy.Home says for the shards, to it; without shards, for
// all that are configured. To take a shard out of service, name the others. It gives the number of partitions moved.
func (r *Router) Rebalance(ctx context.Context, shards ...string) (moved int, err error) {
	if len(shards) == 0 {
		shards = r.names
	}
	if err := r.Resume(ctx); err != nil {
		return 0, err
	}
	var rows []directoryRow
	if err := r.directory.NewSelect().Model(&rows).OrderExpr("partition").Scan(ctx); err != nil {
		return 0, fmt.Errorf("read the directory: %w", err)
	}
	for _, row := range rows {
		home, err := r.strategy.Home(row.Partition, slices.Sorted(slices.Values(shards)))
		if err != nil {
			return moved, err
		}
		if home == row.Shard {
			continue
		}
		if err := r.Move(ctx, row.Partition, home); err != nil {
			return moved, err
		}
		moved++
	}
	return moved, nil
}

// record writes the move down, or finds it; an empty one means that there is nothing to do.
func (r *Router) record(ctx context.Context, partition, to string) (move moveRow, err error) {
	err = r.directory.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var moves []moveRow
		if err := tx.NewSelect().Model(&moves).Where("partition = ?", partition).Scan(ctx); err != nil {
			return err
		}
		if len(moves) > 0 {
			if move = moves[0]; move.Target != to {
				return fmt.Errorf("it is on its way to shard %s: Resume that move first", move.Target)
			}
			return nil
		}
		var row directoryRow
		if err := tx.NewSelect().Model(&row).Where("partition = ?", partition).Scan(ctx); err != nil {
			return fmt.Errorf("look it up: %w", err)
		}
		if move = (moveRow{}); row.Shard == to {
			return nil
		}
		move = moveRow{Partition: partition, Source: row.Shard, Target: to, Epoch: row.Epoch + 1}
		_, err := tx.NewInsert().Model(&move).Exec(ctx)
		return err
	})
	if err != nil {
		return moveRow{}, fmt.Errorf("move partition %s: %w", partition, err)
	}
	return move, nil
}

// mover carries out one move. Its attempt is larger than that of all earlier ones; both databases take nothing any more from
// a smaller one, so a mover that was thought dead does no harm.
type mover struct {
	*Router
	move moveRow

	attempt        int64
	source, target *database.DB
	copier
}

func (r *Router) finish(ctx context.Context, move moveRow) error {
	m := &mover{Router: r, move: move}
	err := m.run(ctx)
	if err != nil {
		r.metrics.moves.WithLabelValues("failed").Inc()
		return fmt.Errorf("move partition %s from shard %s to %s: %w", move.Partition, move.Source, move.Target, err)
	}
	r.metrics.moves.WithLabelValues("done").Inc()
	r.opt.Log.Info("a partition was moved", "partition", move.Partition, "from", move.Source, "to", move.Target, "keys", m.copied)
	return nil
}

func (m *mover) run(ctx context.Context) (err error) {
	if m.source, err = m.shard(m.move.Source); err != nil {
		return err
	}
	if m.target, err = m.shard(m.move.Target); err != nil {
		return err
	}
	if m.copier, err = newCopier(ctx, m.opt, m.source, m.move.Partition); err != nil {
		return err
	}
	if err := m.step("recorded"); err != nil {
		return err
	}
	if err := m.claim(ctx); err != nil {
		return err
	}
	state, err := ownershipIn(ctx, m.source, m.move.Partition)
	switch {
	case err != nil:
		return err
	case state.Epoch != m.move.Epoch-1:
		return fmt.Errorf("shard %s has it %s with epoch %d, want %d", m.move.Source, state.State, state.Epoch, m.move.Epoch-1)
	case state.State != stateLeft:
		if err := m.carry(ctx); err != nil {
			return err
		}
	}
	return m.handOver(ctx)
}

// claim makes this the mover that both databases listen to.
func (m *mover) claim(ctx context.Context) error {
	err := m.directory.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		return tx.NewUpdate().Model((*directoryRow)(nil)).Set("attempt = attempt + 1").
			Where("partition = ?", m.move.Partition).Returning("attempt").Scan(ctx, &m.attempt)
	})
	if err != nil {
		return fmt.Errorf("claim the move: %w", err)
	}
	if err := m.prepare(ctx); err != nil {
		return fmt.Errorf("prepare shard %s: %w", m.move.Target, err)
	}
	err = m.source.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*ownership)(nil)).Set("attempt = ?", m.attempt).
			Where("name = ?", m.move.Partition).Where("attempt < ?", m.attempt).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("claim shard %s: %w", m.move.Source, err)
	}
	return m.step("claimed")
}

// prepare has the target ready to receive.
func (m *mover) prepare(ctx context.Context) error {
	return m.target.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var known []ownership // none or one
		if err := m.target.ForUpdate(tx.NewSelect().Model(&known).Where("name = ?", m.move.Partition)).Scan(ctx); err != nil {
			return err
		}
		next := ownership{Name: m.move.Partition, State: stateReceiving, Epoch: m.move.Epoch, Attempt: m.attempt}
		if len(known) == 0 {
			_, err := tx.NewInsert().Model(&next).Exec(ctx)
			return err
		}
		switch o := known[0]; {
		case o.Attempt > m.attempt:
			return errTaken
		case o.Epoch == m.move.Epoch: // it was prepared before
			next.State, next.Cursor = o.State, o.Cursor
		case o.State != stateLeft || o.Epoch > m.move.Epoch:
			return fmt.Errorf("it has the partition %s with epoch %d: it cannot receive epoch %d", o.State, o.Epoch, m.move.Epoch)
		}
		_, err := tx.NewUpdate().Model(&next).WherePK().Exec(ctx)
		return err
	})
}

// turn takes the source from one state to another, when no write is under way.
func (m *mover) turn(ctx context.Context, from []string, to string) error {
	err := m.source.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := exclusive(ctx, m.source, tx, m.move.Partition); err != nil {
			return err
		}
		result, err := tx.NewUpdate().Model((*ownership)(nil)).Set("state = ?", to).Set("peer = ?", m.move.Target).
			Where("name = ?", m.move.Partition).Where("epoch = ?", m.move.Epoch-1).Where("attempt = ?", m.attempt).
			Where("state IN (?)", bun.List(from)).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errTaken, err)
		}
		if slices.Contains(from, stateOwned) || to == stateLeft {
			_, err = tx.NewDelete().Table("shard_dirty").Where("partition = ?", m.move.Partition).Exec(ctx)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("make it %s on shard %s: %w", to, m.move.Source, err)
	}
	return m.step(to)
}

// carry copies the partition until source and target have the same, and has the source leave it.
func (m *mover) carry(ctx context.Context) error {
	state, err := ownershipIn(ctx, m.source, m.move.Partition)
	if err != nil {
		return err
	}
	if state.State != stateSending {
		if err := m.turn(ctx, []string{state.State}, stateSending); err != nil {
			return err
		}
	}
	if err := m.copyAll(ctx); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	if err := m.catchUp(ctx, 0, nil); err != nil {
		return err
	}
	if err := m.verify(ctx); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := m.catchUp(ctx, m.opt.Batch, m.check); err != nil { // that took a while
		return err
	}
	frozen := time.Now()
	if err := m.turn(ctx, []string{stateSending}, stateFrozen); err != nil {
		return err
	}
	defer func() { m.metrics.freeze.Observe(time.Since(frozen).Seconds()) }()
	if err := m.settleLast(ctx); err != nil {
		// Writes go on; without this they would wait for the next attempt.
		return errors.Join(err, m.turn(context.WithoutCancel(ctx), []string{stateFrozen}, stateSending))
	}
	return m.turn(ctx, []string{stateFrozen}, stateLeft)
}

// catchUp copies what was written meanwhile in rounds, each of what was written during the one before, until enough keys or
// fewer are left. It ends as well when a round does not halve them: then keys are written about as fast as they are copied,
// and only a freeze, for as long as one round takes, gets ahead of the writes.
func (m *mover) catchUp(ctx context.Context, enough int, each func(context.Context, []string) error) error {
	for before := math.MaxInt; ; {
		count, err := m.source.NewSelect().Table("shard_dirty").Where("partition = ?", m.move.Partition).Count(ctx)
		if err != nil {
			return fmt.Errorf("count what was written meanwhile: %w", err)
		}
		left := int(count)
		if left <= enough || left > before/2 {
			return nil
		}
		before = left
		var after *string // each key once a round, as often as it may be written
		for left > 0 {
			ids, err := m.drain(ctx, after, min(left, m.opt.Batch))
			if err == nil && each != nil {
				err = each(ctx, ids)
			}
			if err != nil {
				return fmt.Errorf("copy what was written meanwhile: %w", err)
			}
			if len(ids) == 0 {
				break
			}
			left, after = left-len(ids), &ids[len(ids)-1]
		}
	}
}

// settleLast copies the last keys, now that no more are written, and compares them.
func (m *mover) settleLast(ctx context.Context) error {
	var last []string
	for {
		ids, err := m.drain(ctx, nil, m.opt.Batch)
		if err != nil {
			return fmt.Errorf("copy the last keys: %w", err)
		}
		if len(ids) == 0 {
			break
		}
		last = append(last, ids...)
	}
	for ids := range slices.Chunk(last, m.opt.Batch) {
		different, err := m.compare(ctx, m.source, m.target, ids)
		if err != nil {
			return fmt.Errorf("compare the last keys: %w", err)
		}
		if len(different) > 0 {
			return fmt.Errorf("shards %s and %s differ in keys %q after copying", m.move.Source, m.move.Target, different)
		}
	}
	return m.step("compared")
}

// handOver has the target own what the source has left, and cleans up.
func (m *mover) handOver(ctx context.Context) error {
	if err := activate(ctx, m.target, m.move.Partition, m.move.Epoch); err != nil {
		return fmt.Errorf("have shard %s own it: %w", m.move.Target, err)
	}
	m.setOwner(m.move.Partition, m.move.Target)
	if err := m.step("activated"); err != nil {
		return err
	}
	err := m.directory.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*directoryRow)(nil)).Set("shard = ?", m.move.Target).Set("epoch = ?", m.move.Epoch).
			Where("partition = ?", m.move.Partition).Where("epoch < ?", m.move.Epoch).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("write it into the directory: %w", err)
	}
	if err := m.step("directed"); err != nil {
		return err
	}
	for n := m.opt.Batch; n == m.opt.Batch; {
		if n, err = m.clean(ctx); err != nil {
			return fmt.Errorf("clean shard %s: %w", m.move.Source, err)
		}
		if err := m.step("cleaned"); err != nil {
			return err
		}
	}
	err = m.directory.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model(&m.move).WherePK().Where("epoch = ?", m.move.Epoch).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget the move: %w", err)
	}
	return nil
}

// clean deletes a batch of what is left in the source, unless that has the partition again.
func (m *mover) clean(ctx context.Context) (n int, err error) {
	err = m.source.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var o ownership
		if err := m.source.ForUpdate(tx.NewSelect().Model(&o).Where("name = ?", m.move.Partition)).Scan(ctx); err != nil {
			return err
		}
		if o.State != stateLeft || o.Epoch != m.move.Epoch-1 {
			return errTaken
		}
		ids, err := m.ids(ctx, tx, nil, nil, m.opt.Batch)
		if err != nil || len(ids) == 0 {
			n = 0
			return err
		}
		n = len(ids)
		return m.deleteKeys(ctx, tx, ids)
	})
	return n, err
}

// copyAll copies the keys from where an earlier attempt has got to. One that comes to the end meanwhile is marked, as all that
// are written: followed, the end could run ahead for ever.
func (m *mover) copyAll(ctx context.Context) error {
	o, err := ownershipIn(ctx, m.target, m.move.Partition)
	if err != nil {
		return err
	}
	at, err := readCursor(o.Cursor)
	if err != nil || at.Done {
		return err
	}
	last, err := m.lastID(ctx, m.source)
	for err == nil && last != nil && !at.Done {
		var ids []string
		if ids, err = m.ids(ctx, m.source, at.After, last, m.opt.Batch); err != nil {
			return err
		}
		at.Done = len(ids) < m.opt.Batch
		if len(ids) > 0 {
			at.After = &ids[len(ids)-1]
		}
		if err = m.replace(ctx, ids, &at); err == nil {
			err = m.step("copied")
		}
	}
	return err
}

// cursor is where copying has got to.
type cursor struct {
	After *string // the last key copied
	Done  bool
}

func readCursor(text string) (at cursor, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &at)
	}
	return at, err
}

// replace makes the keys in the target what they are in the source.
func (m *mover) replace(ctx context.Context, ids []string, at *cursor) error {
	var rows [][]record
	err := snapshot(ctx, m.source, func(tx bun.Tx) (err error) {
		rows, err = m.rows(ctx, tx, ids)
		return err
	})
	if err != nil {
		return fmt.Errorf("read from shard %s: %w", m.move.Source, err)
	}
	if err := m.step("read"); err != nil {
		return err
	}
	err = m.target.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var o ownership
		if err := m.target.ForUpdate(tx.NewSelect().Model(&o).Where("name = ?", m.move.Partition)).Scan(ctx); err != nil {
			return err
		}
		if o.State != stateReceiving || o.Epoch != m.move.Epoch || o.Attempt != m.attempt {
			return errTaken
		}
		if err := m.deleteKeys(ctx, tx, ids); err != nil {
			return err
		}
		if err := m.insert(ctx, tx, rows); err != nil {
			return err
		}
		if at == nil {
			return nil
		}
		text, err := json.Marshal(at)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model(&o).Set("cursor = ?", string(text)).WherePK().Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("write to shard %s: %w", m.move.Target, err)
	}
	m.copied += len(ids)
	m.metrics.copied.Add(float64(len(ids)))
	return nil
}

// drain copies keys that were written meanwhile, the first ones after one, and gives them.
func (m *mover) drain(ctx context.Context, after *string, limit int) ([]string, error) {
	var marks []struct {
		ID   string
		Mark int64
	}
	query := m.source.NewSelect().Table("shard_dirty").Column("id", "mark").Where("partition = ?", m.move.Partition)
	if after != nil {
		query.Where("id > ?", *after)
	}
	err := query.OrderExpr("id").Limit(int64(limit)).Scan(ctx, &marks)
	if err != nil || len(marks) == 0 {
		return nil, err
	}
	ids := make([]string, len(marks))
	for i, mark := range marks {
		ids[i] = mark.ID
	}
	if err := m.replace(ctx, ids, nil); err != nil {
		return nil, err
	}
	err = m.source.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, mark := range marks { // one that was set again since is another
			_, err := tx.NewDelete().Table("shard_dirty").Where("partition = ?", m.move.Partition).Where("id = ?", mark.ID).
				Where("mark = ?", mark.Mark).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take marks away: %w", err)
	}
	return ids, m.step("drained")
}

// verify checks all keys while they are written. As in copyAll, those that come to the end meanwhile are marked anyway.
func (m *mover) verify(ctx context.Context) error {
	last, err := m.lastID(ctx, m.source)
	if err != nil {
		return err
	}
	var after *string
	for done := false; !done; {
		var ids []string
		if last != nil {
			if ids, err = m.ids(ctx, m.source, after, last, m.opt.Batch); err != nil {
				return err
			}
		}
		done = len(ids) < m.opt.Batch
		var to *string // the end of this batch
		if !done {
			to = &ids[len(ids)-1]
		}
		there, err := m.ids(ctx, m.target, after, to, 0)
		if err != nil {
			return err
		}
		all := slices.Compact(slices.Sorted(slices.Values(append(ids, there...))))
		after = to
		for some := range slices.Chunk(all, m.opt.Batch) {
			if err := m.check(ctx, some); err != nil {
				return err
			}
		}
	}
	return m.step("verified")
}

// check marks those of the keys that differ, so that they are copied and compared again.
func (m *mover) check(ctx context.Context, ids []string) error {
	different, err := m.compare(ctx, m.source, m.target, ids)
	if err != nil {
		return err
	}
	err = m.source.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, id := range different {
			if err := markDirty(ctx, tx, m.move.Partition, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark what differs: %w", err)
	}
	return m.step("checked")
}

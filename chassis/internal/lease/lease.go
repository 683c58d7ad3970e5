// Package lease shares the rows of a table as work among all processes of a service: each row is worked on by one at a time,
// and one whose worker died, hangs or was cut off from the database is taken over by another.
//
// The table has the columns name, id, fence and due_at. A row is due when its due_at is past; a claim moves due_at to the end
// of the lease and raises fence. Every write of the worker is made under the fence it got (Claim.Update), so that one who lost
// its lease without noticing cannot write any more. Hence correctness hangs on no clock; the clock, which is the database's
// own on PostgreSQL, decides only when work is taken over.
package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// ErrLost is the error of a write under a lease that is not held any more, and the cause that ends the context of such work.
var ErrLost = errors.New("the lease was lost: another process has the work, or it was ended by hand")

// Options describe a queue. Everything but Set must be given.
type Options struct {
	DB      *database.DB
	Table   string        // with the columns name, id, fence, due_at
	Name    string        // of the rows that are this queue's
	Set     string        // what a claim sets in the row beside its lease, as SQL
	Workers int           // rows worked on at a time by this process
	Lease   time.Duration // how long a row stays with a process that gives no sign of life
	Poll    time.Duration // how often to look for rows that nothing here told of
	Drain   time.Duration // how long work under way goes on after Run's context has ended
	Log     *slog.Logger
}

// Queue hands out the rows of a table.
type Queue struct {
	opt  Options
	wake chan struct{}
}

// New makes a queue.
func New(opt Options) *Queue { return &Queue{opt: opt, wake: make(chan struct{}, 1)} }

// Wake has Run look for due rows at once.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Claim is the right to work on a row.
type Claim struct {
	ID    string
	Fence int64

	queue    *Queue
	open     <-chan struct{} // closed when Run is to stop
	taken    time.Time
	released *time.Duration // when the row is due again
}

// Stopping reports whether Run is to stop, so that no more work should begin.
func (c *Claim) Stopping() bool {
	select {
	case <-c.open:
		return true
	default:
		return false
	}
}

// Next says what becomes of a row with an update.
type Next struct {
	due    time.Duration
	keep   bool
	retire bool
}

// Keep prolongs the lease.
func Keep() Next { return Next{keep: true} }

// After gives the row back; it is due again after d.
func After(d time.Duration) Next { return Next{due: d} }

// Retire gives the row back; it is never due again.
func Retire() Next { return Next{retire: true} }

// Update begins an update of the claimed row, to which the caller adds columns and which Exec executes.
func (c *Claim) Update(tx bun.IDB, model any, next Next) *bun.UpdateQuery {
	query := tx.NewUpdate().Model(model).Where("name = ?", c.queue.opt.Name).Where("id = ?", c.ID).Where("fence = ?", c.Fence)
	switch {
	case next.keep:
		return query.Set("due_at = ?", c.queue.In(c.queue.opt.Lease))
	case next.retire:
		return query.Set("fence = fence + 1").Set("due_at = NULL")
	}
	c.released = &next.due
	return query.Set("fence = fence + 1").Set("due_at = ?", c.queue.In(next.due)) // a renewal on its way must not undo this
}

// Exec executes what Update began; ErrLost when the row is not the caller's any more.
func Exec(ctx context.Context, query *bun.UpdateQuery) error {
	result, err := query.Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return ErrLost
}

// In is the moment after d as an expression of SQL.
func (q *Queue) In(d time.Duration) schema.QueryWithArgs {
	if q.opt.DB.Kind() == database.Postgres {
		return bun.SafeQuery("clock_timestamp() + ? * interval '1 microsecond'", d.Microseconds())
	}
	return bun.SafeQuery("?", time.Now().UTC().Add(d)) // all processes of a file are on one machine
}

// Claim takes at most limit due rows, those first that have been due for longest.
func (q *Queue) Claim(ctx context.Context, limit int) ([]*Claim, error) {
	taken := time.Now()
	var claims []*Claim
	err := q.opt.DB.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		claims = nil
		return q.claim(tx, limit).Scan(ctx, &claims)
	})
	if err != nil {
		return nil, fmt.Errorf("claim rows of %s: %w", q.opt.Table, err)
	}
	for _, c := range claims {
		c.queue, c.taken = q, taken
	}
	return claims, nil
}

func (q *Queue) claim(tx bun.Tx, limit int) *bun.RawQuery {
	due := tx.NewSelect().Table(q.opt.Table).Column("id").Where("name = ?", q.opt.Name).OrderExpr("due_at").Limit(int64(limit))
	set := "fence = t.fence + 1"
	if q.opt.Set != "" {
		set += ", " + q.opt.Set
	}
	args := []any{bun.Ident(q.opt.Table), bun.Safe(set), q.In(q.opt.Lease), q.opt.Name, nil}
	if q.opt.DB.Kind() == database.Postgres {
		args[4] = due.Where("due_at <= now()").For("UPDATE SKIP LOCKED")
		return tx.NewRaw("WITH due AS MATERIALIZED (?4) UPDATE ?0 AS t SET ?1, due_at = ?2 FROM due WHERE t.name = ?3 AND t.id = due.id "+
			"RETURNING t.id, t.fence", args...)
	}
	args[4] = due.Where("due_at <= ?", time.Now().UTC())
	return tx.NewRaw("UPDATE ?0 AS t SET ?1, due_at = ?2 WHERE t.name = ?3 AND t.id IN (?4) RETURNING id, fence", args...)
}

// renew prolongs the lease until ctx ends, and ends it by lost when the lease is not held any more or cannot be told to be.
func (c *Claim) renew(ctx context.Context, lost context.CancelCauseFunc) {
	lease := c.queue.opt.Lease
	held := c.taken
	for {
		if Rest(ctx, lease/3, nil); ctx.Err() != nil {
			return
		}
		began := time.Now()
		switch err := c.prolong(ctx, lease/3); {
		case err == nil:
			held = began
		case errors.Is(err, ErrLost) || time.Since(held) >= lease:
			lost(ErrLost)
			return
		}
	}
}

func (c *Claim) prolong(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	db := c.queue.opt.DB
	return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		query := tx.NewUpdate().Table(c.queue.opt.Table).Set("due_at = ?", c.queue.In(c.queue.opt.Lease)).
			Where("name = ?", c.queue.opt.Name).Where("id = ?", c.ID).Where("fence = ?", c.Fence)
		return Exec(ctx, query)
	})
}

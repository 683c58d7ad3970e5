package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
)

// errUnreachable is the outcome of a batch of which nothing was published, for no fault of the events.
var errUnreachable = errors.New("the events cannot be published now")

const longestPause = 5 * time.Second

// Run publishes what is stored until ctx ends; then, for at most FlushTimeout, what is left. It also keeps the metrics and
// deletes published events after Retention. While the broker or the database is away it tries again and again.
func (o *Outbox) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { o.every(ctx, statsInterval, o.measure) })
	group.Go(func() { o.every(ctx, cleanInterval, o.clean) })

	// What is under way when ctx ends is not cut off, and what is left then is published yet.
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	context.AfterFunc(ctx, func() { time.AfterFunc(o.opt.FlushTimeout, cancel) })
	o.relayUntil(ctx, late)
	if err := o.Flush(late); err != nil {
		o.opt.Log.Warn("the outbox keeps events for the next start", "error", err)
	}
	return nil
}

func (o *Outbox) relayUntil(ctx, late context.Context) {
	const shortest = 50 * time.Millisecond
	for pause := shortest; ctx.Err() == nil; {
		n, err := o.relay(late)
		switch {
		case err != nil:
			o.opt.Log.Warn("the outbox does not get its events published", "error", err, "next", pause.String())
			o.rest(ctx, pause, nil)
			pause = min(2*pause, longestPause)
			continue
		case n == 0:
			o.rest(ctx, o.opt.Poll, o.wake)
		}
		pause = shortest
	}
}

// rest waits for d, for a wake-up or for the end of ctx.
func (o *Outbox) rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// Flush publishes what is stored and not held by another relay or behind a failed event, and returns when nothing is left.
func (o *Outbox) Flush(ctx context.Context) error {
	o.mu.Lock()
	o.pass = pass{} // what could not be published before has its turn again
	o.mu.Unlock()
	for {
		n, err := o.relay(ctx)
		if err != nil {
			return fmt.Errorf("flush the outbox: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
}

// pass is one way through the table, from the oldest row on. When some rows cannot be published now, since their partition
// has no leader say, the relay goes on behind them, so that they hold up nobody else, and comes back to them in the next pass.
type pass struct {
	after   int64 // rows up to this id had their turn
	failure error // of the rows that could not be published
	since   time.Time
}

const longestPass = time.Minute

// relay publishes one batch and gives its size. An event is marked after it was published: who crashes in between
// publishes it again. Rows are chosen by not being marked, so one whose transaction commits late is never passed over.
func (o *Outbox) relay(ctx context.Context) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pass.failure != nil && o.opt.Now().Sub(o.pass.since) > longestPass {
		o.pass = pass{}
	}
	batch := o.relaySQLite
	if o.db.Kind() == database.Postgres {
		batch = o.relayPostgres
	}
	out, err := batch(ctx)
	switch {
	case err != nil:
		return 0, fmt.Errorf("relay: %w", err)
	case out.size == 0:
		err, o.pass = o.pass.failure, pass{}
		return 0, err
	case out.failure == nil:
		return out.size, nil
	}
	if o.pass.failure == nil {
		o.pass.since = o.opt.Now()
	}
	o.pass.after, o.pass.failure = out.last, fmt.Errorf("%w: %w", errUnreachable, out.failure)
	if out.moved == 0 {
		return out.size, o.pass.failure
	}
	return out.size, nil
}

// outcome is what became of a batch.
type outcome struct {
	size    int
	last    int64 // the id of its last row
	moved   int   // rows that were published or refused
	failure error // of rows that could be neither
}

// relayPostgres holds some buckets' rows while it publishes; other relays skip them and take others. The buckets of a relay
// that has died or hangs are free again when its transaction is gone, which the server sees to.
func (o *Outbox) relayPostgres(ctx context.Context) (out outcome, err error) {
	err = o.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		limit := (2*o.opt.Timeout + 5*time.Second).Milliseconds()
		if _, err := tx.ExecContext(ctx, "SELECT set_config('idle_in_transaction_session_timeout', ?, true)", fmt.Sprint(limit)); err != nil {
			return err
		}
		held, err := o.hold(ctx, tx)
		if err != nil || len(held) == 0 {
			return err
		}
		// The first of each bucket and then the first of those: the cost is the same however many are pending.
		each := o.ready(tx).ColumnExpr("o.*").Where("o.bucket = b.id").OrderExpr("o.id").Limit(int64(o.opt.Batch))
		rows, err := o.first(ctx, tx.NewSelect().TableExpr("outbox_bucket AS b").Join("CROSS JOIN LATERAL (?) AS o", each).
			Where("b.id IN (?)", bun.List(held)))
		if err != nil || len(rows) == 0 {
			return err
		}
		out, err = o.record(ctx, tx, rows, o.publish(ctx, rows))
		return err
	})
	return out, err
}

// hold locks some buckets that have rows to publish, beginning anywhere, lest the first ones always win.
func (o *Outbox) hold(ctx context.Context, tx bun.Tx) (held []int, err error) {
	err = tx.NewSelect().TableExpr("outbox_bucket AS b").Column("b.id").
		Where("(?) IS NOT NULL", o.ready(tx).ColumnExpr("1").Where("o.bucket = b.id").Limit(1)).
		OrderExpr("(b.id + ?) % ?", rand.IntN(buckets), buckets). //nolint:gosec // nothing secret
		Limit(buckets/4).For("UPDATE SKIP LOCKED").Scan(ctx, &held)
	return held, err
}

// relaySQLite lets one relay at a time publish, by a lock beside the database: a transaction kept open meanwhile would
// stop every other writer.
func (o *Outbox) relaySQLite(ctx context.Context) (out outcome, err error) {
	unlock, ok, err := o.db.TryLock(ctx, "outbox")
	if err != nil || !ok {
		return outcome{}, err
	}
	defer unlock()
	rows, err := o.first(ctx, o.ready(o.db))
	if err != nil || len(rows) == 0 {
		return outcome{}, err
	}
	results := o.publish(ctx, rows)
	err = o.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		out, err = o.record(ctx, tx, rows, results)
		return err
	})
	return out, err
}

// ready selects the rows that may be published: pending, with nothing before them in their key that failed or was passed.
func (o *Outbox) ready(db bun.IDB) *bun.SelectQuery {
	before := func() *bun.SelectQuery {
		return db.NewSelect().TableExpr("outbox AS f").ColumnExpr("1").Where("f.key = o.key").Where("f.published_at IS NULL")
	}
	query := db.NewSelect().TableExpr("outbox AS o").Where("o.published_at IS NULL").
		Where("NOT EXISTS (?)", before().Where("f.retry_at IS NOT NULL").Where("f.id <= o.id").
			Where("(f.dead_at IS NOT NULL OR f.retry_at > ?)", o.opt.Now().UTC()))
	if o.pass.after > 0 {
		query.Where("o.id > ?", o.pass.after).Where("NOT EXISTS (?)", before().Where("f.id <= ?", o.pass.after))
	}
	return query
}

// first gives the first rows of a query.
func (o *Outbox) first(ctx context.Context, ready *bun.SelectQuery) (rows []row, err error) {
	err = ready.ColumnExpr("o.*").OrderExpr("o.id").Limit(int64(o.opt.Batch)).Scan(ctx, &rows)
	return rows, err
}

// publish publishes the rows and gives each one's error.
func (o *Outbox) publish(ctx context.Context, rows []row) []error {
	results := make([]error, len(rows))
	var events []event.Event
	var at []int // where each event's row is
	spoilt := map[string]bool{}
	for i, r := range rows {
		e, err := stored(r.Event)
		switch {
		case spoilt[r.Key]:
			results[i] = event.ErrHeld
		case err != nil:
			spoilt[r.Key] = true
			results[i] = fmt.Errorf("%w: the stored event is unreadable: %w", event.ErrRefused, err)
		default:
			events, at = append(events, e), append(at, i)
		}
	}
	if len(events) == 0 {
		return results
	}
	ctx, cancel := context.WithTimeout(ctx, o.opt.Timeout)
	defer cancel()
	err := o.pub.Publish(ctx, events...)
	var each *event.PublishError
	detailed := errors.As(err, &each) && len(each.Errs) == len(events)
	for j, i := range at {
		results[i] = err
		if detailed {
			results[i] = each.Errs[j]
		}
	}
	return results
}

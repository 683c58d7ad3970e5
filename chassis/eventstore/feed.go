package eventstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// handleError is the failure of an event in a batch.
type handleError struct {
	index    int // in the batch
	position int64
	err      error
}

func (e *handleError) Error() string {
	return fmt.Sprintf("event at position %d: %v", e.position, e.err)
}
func (e *handleError) Unwrap() error { return e.err }

// advance handles a batch of one generation's events and reports whether there may be more to do. When an event fails, those
// before it go first; then its failure is written down.
func (p *Projector) advance(ctx context.Context, one *Projection, state string) (bool, error) {
	due, err := p.due(ctx, one, state)
	if err != nil || !due {
		return false, err
	}
	for limit := p.opt.Batch; ; {
		row, did, err := p.batch(ctx, one, state, limit)
		var failed *handleError
		switch {
		case err == nil:
			if did {
				p.moved.send()
			}
			return did, nil
		case ctx.Err() != nil:
			return false, err
		case errors.As(err, &failed) && failed.index > 0:
			limit = failed.index
		case failed == nil && limit > 1: // the commit failed; which event is to blame is not known
			limit = 1
		default:
			return false, p.fail(ctx, one, row, err)
		}
	}
}

// due asks, without a lock, whether a generation may have something to do.
func (p *Projector) due(ctx context.Context, one *Projection, state string) (bool, error) {
	var row projectionRow
	err := p.store.db.NewSelect().Model(&row).Where("name = ?", one.Name).Where("state = ?", state).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil || row.RetryAt.After(p.store.now()) {
		return false, err
	}
	last, err := head(ctx, p.store.db)
	return state == building || row.Position < last, err
}

// batch handles at most limit events in one transaction, which it begins with the lock on the checkpoint: did is false when
// another replica has that, or nothing is left.
func (p *Projector) batch(ctx context.Context, one *Projection, state string, limit int) (row projectionRow, did bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.opt.Timeout)
	defer cancel()
	handled := 0
	err = p.store.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		did, handled = false, 0
		if err := p.endWhenFrozen(ctx, tx); err != nil {
			return err
		}
		ok, err := p.lock(ctx, tx, one, state, &row)
		if err != nil || !ok {
			return err
		}
		if err := p.holdLive(ctx, tx, row, limit); err != nil {
			return err
		}
		// Positions become visible in their order, so none up to this one is still to come.
		last, err := head(ctx, tx)
		if err != nil {
			return err
		}
		var rows []eventRow
		query := tx.NewSelect().Model(&rows).Where("position > ?", row.Position).Where("position <= ?", last).
			OrderExpr("position").Limit(int64(limit))
		if len(one.Types) > 0 {
			query.Where("type IN (?)", bun.List(one.Types))
		}
		if err := query.Scan(ctx); err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		for i, r := range rows {
			if err := p.handle(ctx, tx, one, row.Generation, r); err != nil {
				return &handleError{index: i, position: r.Position, err: err}
			}
		}
		handled = len(rows)
		to := last
		if len(rows) == limit {
			to = rows[limit-1].Position
		}
		did = to > row.Position
		return p.checkpoint(ctx, tx, row, to, to == last)
	})
	if err == nil {
		p.store.metrics.handled.WithLabelValues(one.Name).Add(float64(handled))
	}
	return row, did && err == nil, err
}

// endWhenFrozen has PostgreSQL end the transaction of a process that neither goes on nor goes away.
func (p *Projector) endWhenFrozen(ctx context.Context, tx bun.Tx) error {
	if p.store.db.Kind() != database.Postgres {
		return nil
	}
	limit := (2*p.opt.Timeout + 5*time.Second).Milliseconds()
	_, err := tx.ExecContext(ctx, "SELECT set_config('idle_in_transaction_session_timeout', ?, true)", fmt.Sprint(limit))
	return err
}

// lock takes the generation's checkpoint; ok is false when there is none, another replica has it or it waits after a failure.
func (p *Projector) lock(ctx context.Context, tx bun.Tx, one *Projection, state string, row *projectionRow) (ok bool, err error) {
	*row = projectionRow{}
	err = p.forUpdate(tx.NewSelect().Model(row).Where("name = ?", one.Name).Where("state = ?", state), "UPDATE SKIP LOCKED").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock the checkpoint: %w", err)
	}
	return !row.RetryAt.After(p.store.now()), nil
}

// handle gives one event to the projection. A panic is the event's failure, and ends no process.
func (p *Projector) handle(ctx context.Context, tx bun.Tx, one *Projection, generation int64, r eventRow) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	e, err := p.store.recorded(r)
	if err != nil {
		return err
	}
	return one.Handle(continued(ctx, e.Metadata), Tx{Tx: tx, Generation: generation}, e)
}

// checkpoint moves the generation to a position; one that is built takes the live one's place.
func (p *Projector) checkpoint(ctx context.Context, tx bun.Tx, row projectionRow, to int64, caughtUp bool) error {
	_, err := tx.NewUpdate().Model(&row).Set("position = ?", to).Set("failures = 0").Set("failed_position = 0").
		Set("last_error = ''").Set("retry_at = NULL").WherePK().Exec(ctx)
	if err != nil {
		return fmt.Errorf("move the checkpoint: %w", err)
	}
	if row.State != building {
		return nil
	}
	row.Position = to
	return p.replace(ctx, tx, row, caughtUp)
}

const longestError = 500

// fail writes down that an event failed, unless another replica got past it meanwhile.
func (p *Projector) fail(ctx context.Context, one *Projection, row projectionRow, cause error) error {
	if row.Name == "" { // not even the checkpoint could be read
		return cause
	}
	var failed *handleError
	position := row.Position + 1
	if errors.As(cause, &failed) {
		position = failed.position
	}
	text := strings.ToValidUTF8(cause.Error(), "?")
	if len(text) > longestError {
		text = strings.ToValidUTF8(text[:longestError], "")
	}
	text = strings.ReplaceAll(text, "\x00", "?")
	now := p.store.now()
	pause := min(p.opt.Backoff<<min(row.Failures, 20), p.opt.MaxBackoff)
	_, err := p.store.db.NewUpdate().Model(&row).Set("failures = failures + 1").Set("failed_position = ?", position).
		Set("last_error = ?", text).Set("retry_at = ?", now.Add(pause)).WherePK().Where("position = ?", row.Position).Exec(ctx)
	if err != nil {
		return errors.Join(cause, err)
	}
	p.store.metrics.failed.WithLabelValues(one.Name).Inc()
	p.log.Error("a projection stands still at an event that it cannot handle: mend it, or skip the event", "projection", one.Name,
		"generation", row.Generation, "position", position, "failures", row.Failures+1, "error", cause, "next", pause.String())
	return nil
}

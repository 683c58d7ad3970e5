package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
)

// Dead is an event that was refused too often. The later events of its key wait until it is redriven or discarded.
type Dead struct {
	ID         int64
	Event      event.Event // zero when what is stored is unreadable
	Key        string
	RetryCount int
	LastError  string
	DeadAt     time.Time
	Waiting    int // pending events behind it
}

// List gives the dead events, oldest first, at most limit; 0 gives all.
func (o *Outbox) List(ctx context.Context, limit int) ([]Dead, error) {
	var rows []struct {
		row
		Waiting int
	}
	query := o.db.NewSelect().TableExpr("outbox AS o").ColumnExpr("o.*").
		ColumnExpr("(SELECT COUNT(*) FROM outbox AS w WHERE w.key = o.key AND w.id > o.id AND w.published_at IS NULL) AS waiting").
		Where("o.published_at IS NULL").Where("o.dead_at IS NOT NULL").OrderExpr("o.id")
	if limit > 0 {
		query.Limit(int64(limit))
	}
	if err := query.Scan(ctx, &rows); err != nil {
		return nil, fmt.Errorf("list dead events: %w", err)
	}
	dead := make([]Dead, len(rows))
	for i, r := range rows {
		dead[i] = Dead{ID: r.ID, Key: r.Key, RetryCount: r.RetryCount, LastError: r.LastError, DeadAt: r.DeadAt, Waiting: r.Waiting}
		dead[i].Event, _ = stored(r.Event) // LastError says when it is unreadable
	}
	return dead, nil
}

// Redrive lets dead events be published again, with all their attempts; without ids, all of them. It gives their number.
func (o *Outbox) Redrive(ctx context.Context, ids ...int64) (int, error) {
	query := o.db.NewUpdate().Model((*row)(nil)).Set("retry_count = 0").Set("retry_at = NULL").Set("dead_at = NULL").
		Where("published_at IS NULL").Where("dead_at IS NOT NULL")
	if len(ids) > 0 {
		query.Where("id IN (?)", bun.List(ids))
	}
	n, err := affected(query.Exec(ctx))
	if err != nil {
		return 0, fmt.Errorf("redrive dead events: %w", err)
	}
	o.stir()
	return n, nil
}

// Discard deletes dead events, so that those behind them go on without them. It gives their number.
func (o *Outbox) Discard(ctx context.Context, ids ...int64) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	n, err := affected(o.db.NewDelete().Model((*row)(nil)).
		Where("id IN (?)", bun.List(ids)).Where("published_at IS NULL").Where("dead_at IS NOT NULL").Exec(ctx))
	if err != nil {
		return 0, fmt.Errorf("discard dead events: %w", err)
	}
	o.stir()
	return n, nil
}

func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

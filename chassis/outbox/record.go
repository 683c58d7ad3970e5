package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
)

const longestError = 500

// record writes down what became of the rows. Only a refusal counts against an event: while the broker is away no event
// comes nearer to its death.
func (o *Outbox) record(ctx context.Context, tx bun.IDB, rows []row, results []error) (outcome, error) {
	now := o.opt.Now().UTC()
	out := outcome{size: len(rows), last: rows[len(rows)-1].ID}
	var published []int64
	var failed []row
	for i, r := range rows {
		switch err := results[i]; {
		case err == nil:
			published = append(published, r.ID)
			out.moved++
			o.metrics.delay.Observe(now.Sub(r.CreatedAt).Seconds())
		case errors.Is(err, event.ErrHeld):
		case errors.Is(err, event.ErrRefused):
			failed = append(failed, o.refused(r, err, now))
			out.moved++
		case out.failure == nil: // once is enough for whoever looks into the table why nothing moves
			out.failure = err
			r.LastError = shorten(err)
			failed = append(failed, r)
		}
	}
	o.metrics.published.Add(float64(len(published)))
	return out, o.write(ctx, tx, published, failed, now)
}

// refused counts one refusal against the row.
func (o *Outbox) refused(r row, err error, now time.Time) row {
	r.RetryCount++
	r.LastError = shorten(err)
	pause := min(o.opt.Backoff<<min(r.RetryCount-1, 20), o.opt.MaxBackoff)
	r.RetryAt = now.Add(pause)
	if r.RetryCount >= o.opt.Attempts {
		r.DeadAt = now
		o.opt.Log.Error("an event of the outbox is dead, and the later ones of its key wait: redrive or discard it",
			"id", r.ID, "type", r.Type, "event", r.EventID, "key", r.Key, "error", err)
	}
	o.metrics.refused.Inc()
	return r
}

func (o *Outbox) write(ctx context.Context, tx bun.IDB, published []int64, failed []row, now time.Time) error {
	if len(published) > 0 {
		_, err := tx.NewUpdate().Model((*row)(nil)).Set("published_at = ?", now).Where("id IN (?)", bun.List(published)).Exec(ctx)
		if err != nil {
			return fmt.Errorf("mark as published: %w", err)
		}
	}
	for _, r := range failed {
		_, err := tx.NewUpdate().Model(&r).Column("retry_count", "last_error", "retry_at", "dead_at").WherePK().Exec(ctx)
		if err != nil {
			return fmt.Errorf("mark as failed: %w", err)
		}
	}
	return nil
}

func shorten(err error) string {
	text := strings.ToValidUTF8(err.Error(), "?")
	if len(text) > longestError {
		text = strings.ToValidUTF8(text[:longestError], "")
	}
	return text
}

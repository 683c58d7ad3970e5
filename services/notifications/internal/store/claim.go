package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
)

// Claimed is a message that is one sender's until its lease ends.
type Claimed struct {
	domain.Message
	Traceparent string
	InDoubt     bool // the last attempt was never brought to its end: whether it was sent is not known
}

// Claim makes the message that is due the longest the caller's to send until the given time; ok is false when none is due. Of several
// replicas each gets another one.
func (s *Store) Claim(ctx context.Context, now, until time.Time) (c Claimed, ok bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var row messageRow
		c, ok = Claimed{}, false
		query := tx.NewSelect().Model(&row).Where("due_at <= ?", now).Order("due_at", "id").Limit(1)
		if s.db.Kind() == database.Postgres {
			query.For("UPDATE SKIP LOCKED")
		}
		err := query.Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("select a message that is due: %w", err)
		}
		c = Claimed{Traceparent: row.Traceparent, InDoubt: row.Status == string(domain.Sending)}
		row.Status, row.DueAt, row.Attempts = string(domain.Sending), &until, row.Attempts+1
		if _, err := tx.NewUpdate().Model(&row).Column("status", "due_at", "attempts").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("claim message: %w", err)
		}
		c.Message, ok = row.message(), true
		return nil
	})
	return c, ok, err
}

// Sent says that the server has taken a message. That holds whoever claimed it meanwhile.
func (s *Store) Sent(ctx context.Context, m domain.Message, at time.Time) error {
	return s.update(ctx, "mark a message as sent", func(query *bun.UpdateQuery) *bun.UpdateQuery {
		return query.Set("status = ?", string(domain.Sent)).Set("sent_at = ?", at).Set("due_at = NULL").Set("failure = ''").
			Where("id = ?", m.ID)
	})
}

// Postpone lets anybody send a message from a time on, unless somebody else has claimed it meanwhile.
func (s *Store) Postpone(ctx context.Context, m domain.Message, why string, until time.Time) error {
	return s.update(ctx, "postpone a message", func(query *bun.UpdateQuery) *bun.UpdateQuery {
		return mine(query, m).Set("status = ?", string(domain.Waiting)).Set("due_at = ?", until).Set("failure = ?", why)
	})
}

// Fail gives up a message, unless somebody else has claimed it meanwhile.
func (s *Store) Fail(ctx context.Context, m domain.Message, why string) error {
	return s.update(ctx, "mark a message as failed", func(query *bun.UpdateQuery) *bun.UpdateQuery {
		return mine(query, m).Set("status = ?", string(domain.Failed)).Set("due_at = NULL").Set("failure = ?", why)
	})
}

// mine limits a change to a message that nobody has claimed since m was.
func mine(query *bun.UpdateQuery, m domain.Message) *bun.UpdateQuery {
	return query.Where("id = ?", m.ID).Where("status = ?", string(domain.Sending)).Where("attempts = ?", m.Attempts)
}

func (s *Store) update(ctx context.Context, what string, change func(*bun.UpdateQuery) *bun.UpdateQuery) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := change(tx.NewUpdate().Model((*messageRow)(nil))).Exec(ctx); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}

package outbox

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
)

const (
	inboxRetention  = 30 * 24 * time.Hour // longer than a broker keeps events, so that none comes after it is forgotten
	inboxCleanEvery = 1000                // events handled between two cleanings
)

// Inbox makes the effects of a consumer's events happen once, though the events may come more often.
type Inbox struct {
	db       *database.DB
	consumer string
	handled  atomic.Int64
}

// NewInbox makes the inbox of a consumer, usually its group, in db, which has Migrations applied.
func NewInbox(db *database.DB, consumer string) *Inbox {
	return &Inbox{db: db, consumer: consumer}
}

type inboxRow struct {
	bun.BaseModel `bun:"table:inbox"`

	Consumer  string
	Source    string
	EventID   string
	HandledAt time.Time
}

// Once runs fn in a transaction that also remembers the event, unless this consumer has handled the event before: then it
// does nothing and returns nil. An error of fn undoes both, so the event can be tried again. What fn does outside tx is not
// covered. While another process handles the same event, Once waits for the outcome.
func (i *Inbox) Once(ctx context.Context, e event.Event, fn func(ctx context.Context, tx bun.Tx) error) error {
	err := i.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		r := inboxRow{Consumer: i.consumer, Source: e.Source(), EventID: e.ID(), HandledAt: time.Now().UTC()}
		n, err := affected(tx.NewInsert().Model(&r).On("CONFLICT DO NOTHING").Exec(ctx))
		if err != nil {
			return fmt.Errorf("inbox: remember event %s: %w", e.ID(), err)
		}
		if n == 0 {
			return nil
		}
		return fn(ctx, tx)
	})
	if err == nil && i.handled.Add(1)%inboxCleanEvery == 0 {
		_, _ = i.Clean(ctx, inboxRetention) // the next time will do as well
	}
	return err
}

// Clean forgets the consumer's events that were handled longer than age ago, and gives their number. Once does it now and
// then, with 30 days.
func (i *Inbox) Clean(ctx context.Context, age time.Duration) (int, error) {
	n, err := affected(i.db.NewDelete().Model((*inboxRow)(nil)).
		Where("consumer = ?", i.consumer).Where("handled_at < ?", time.Now().UTC().Add(-age)).Exec(ctx))
	if err != nil {
		return 0, fmt.Errorf("inbox: clean: %w", err)
	}
	return n, nil
}

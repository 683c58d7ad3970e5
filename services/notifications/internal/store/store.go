// Package store keeps messages and the customers that they go to in the service's database.
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

// Store keeps messages. Every method that changes something joins the transaction that its context carries, if any.
type Store struct {
	db *database.DB
}

// New makes a store in db.
func New(db *database.DB) *Store { return &Store{db: db} }

type messageRow struct {
	bun.BaseModel `bun:"table:messages"`

	ID          string `bun:",pk"`
	CustomerID  string
	Kind        string
	OrderID     string
	Amount      string
	Reason      string
	Status      string
	Attempts    int
	DueAt       *time.Time
	Failure     string
	Traceparent string
	CreatedAt   time.Time
	SentAt      *time.Time
}

type customerRow struct {
	bun.BaseModel `bun:"table:customers"`

	ID    string `bun:",pk"`
	Name  string
	Email string
}

func (r messageRow) message() domain.Message {
	m := domain.Message{
		ID: r.ID, CustomerID: r.CustomerID, Kind: domain.Kind(r.Kind), OrderID: r.OrderID, Amount: r.Amount, Reason: r.Reason,
		Status: domain.Status(r.Status), Attempts: r.Attempts, Failure: r.Failure, CreatedAt: r.CreatedAt.UTC(),
	}
	if r.SentAt != nil {
		m.SentAt = r.SentAt.UTC()
	}
	return m
}

// Put keeps a new message, which is to be sent at once; first is false when it is there already. The traceparent is that of what the
// message tells of.
func (s *Store) Put(ctx context.Context, m domain.Message, traceparent string) (first bool, err error) {
	row := messageRow{
		ID: m.ID, CustomerID: m.CustomerID, Kind: string(m.Kind), OrderID: m.OrderID, Amount: m.Amount, Reason: m.Reason,
		Status: string(domain.Waiting), DueAt: &m.CreatedAt, Traceparent: traceparent, CreatedAt: m.CreatedAt,
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := affected(tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx))
		if first = n == 1; err != nil {
			return fmt.Errorf("insert message: %w", err)
		}
		return nil
	})
	return first, err
}

// KeepCustomer keeps whom to write to. What waits for that address, or failed for want of it, is due from now on, and its attempts are
// counted anew; who is about to note that there is no address, is too late with that.
func (s *Store) KeepCustomer(ctx context.Context, c domain.Customer, now time.Time) error {
	row := customerRow{ID: c.ID, Name: c.Name, Email: c.Email}
	const sending, waiting = string(domain.Sending), string(domain.Waiting)
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO UPDATE").Set("name = EXCLUDED.name").Set("email = EXCLUDED.email").Exec(ctx)
		if err != nil {
			return fmt.Errorf("keep customer: %w", err)
		}
		_, err = tx.NewUpdate().Model((*messageRow)(nil)).
			Set("due_at = CASE WHEN status = ? THEN due_at ELSE ? END", sending, now).
			Set("attempts = CASE WHEN status = ? THEN attempts + 1 ELSE 0 END", sending).
			Set("status = CASE WHEN status = ? THEN status ELSE ? END", sending, waiting).
			Where("customer_id = ?", c.ID).
			Where("status = ? OR failure = ? AND status IN (?, ?)", sending, domain.NoAddress, waiting, string(domain.Failed)).Exec(ctx)
		if err != nil {
			return fmt.Errorf("release the customer's messages: %w", err)
		}
		return nil
	})
}

// Customer gives whom to write to; known is false while no event told.
func (s *Store) Customer(ctx context.Context, id string) (c domain.Customer, known bool, err error) {
	var row customerRow
	err = s.db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return c, false, nil
	case err != nil:
		return c, false, fmt.Errorf("select customer: %w", err)
	}
	return domain.Customer{ID: row.ID, Name: row.Name, Email: row.Email}, true, nil
}

// List gives at most limit messages to a customer, the latest first.
func (s *Store) List(ctx context.Context, customerID string, limit int) ([]domain.Message, error) {
	var rows []messageRow
	err := s.db.NewSelect().Model(&rows).Where("customer_id = ?", customerID).Order("created_at DESC", "id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select messages: %w", err)
	}
	messages := make([]domain.Message, len(rows))
	for i, row := range rows {
		messages[i] = row.message()
	}
	return messages, nil
}

// Waiting counts the messages of each kind that are not sent and have not failed.
func (s *Store) Waiting(ctx context.Context) (map[domain.Kind]int, error) {
	var rows []struct {
		Kind  string
		Count int
	}
	err := s.db.NewSelect().Model((*messageRow)(nil)).Column("kind").ColumnExpr("COUNT(*) AS count").Where("due_at IS NOT NULL").
		Group("kind").Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("count messages: %w", err)
	}
	counts := map[domain.Kind]int{}
	for _, row := range rows {
		counts[domain.Kind(row.Kind)] = row.Count
	}
	return counts, nil
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Package store keeps payments in the service's database.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/legacy/internal/domain"
)

// ErrNotFound is what a payment that is not known gives.
var ErrNotFound = errors.New("payment not found")

type row struct {
	bun.BaseModel `bun:"table:payments"`

	Reference     string `bun:",pk"`
	TransactionID string
	Arrived       bool
	StatusCode    int
	Message       string
	Behaviour     string
	Last4         string `bun:"last4"`
	AmountCents   int64
	CurrencyCode  string
	CreatedAt     time.Time
	RefundedAt    *time.Time
}

// Store keeps payments.
type Store struct {
	db *database.DB
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db}
}

// Keep keeps a payment with its answer, unless its reference is known: then it gives what is kept and false. Of several
// that come at once, one is kept.
func (s *Store) Keep(ctx context.Context, payment domain.Payment) (domain.Payment, bool, error) {
	kept, first := payment, false
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if first, err = insert(ctx, tx, payment); err != nil || first {
			return err
		}
		kept, err = get(ctx, tx, "reference", payment.Reference)
		return err
	})
	return kept, first, err
}

// Refund marks the payment of the tombstone's reference as given back, and gives it. Without one it keeps the tombstone, so
// that the payment is refused when it comes.
func (s *Store) Refund(ctx context.Context, tombstone domain.Payment) (kept domain.Payment, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := insert(ctx, tx, tombstone); err != nil {
			return err
		}
		_, err := tx.NewUpdate().Model((*row)(nil)).Set("refunded_at = ?", tombstone.CreatedAt).
			Where("reference = ?", tombstone.Reference).Where("refunded_at IS NULL").Exec(ctx)
		if err != nil {
			return fmt.Errorf("refund payment: %w", err)
		}
		kept, err = get(ctx, tx, "reference", tombstone.Reference)
		return err
	})
	return kept, err
}

// Get gives the payment of a reference, or ErrNotFound.
func (s *Store) Get(ctx context.Context, reference string) (domain.Payment, error) {
	return get(ctx, s.db, "reference", reference)
}

// Transaction gives the payment of a transaction's id, or ErrNotFound.
func (s *Store) Transaction(ctx context.Context, id string) (domain.Payment, error) {
	return get(ctx, s.db, "transaction_id", id)
}

// Charged gives what has been charged and not given back, in cents, by reference.
func (s *Store) Charged(ctx context.Context) (map[string]int64, error) {
	var rows []row
	if err := s.db.NewSelect().Model(&rows).Scan(ctx); err != nil {
		return nil, fmt.Errorf("select payments: %w", err)
	}
	charged := map[string]int64{}
	for _, r := range rows {
		if n := r.payment().Charged(); n > 0 {
			charged[r.Reference] = n
		}
	}
	return charged, nil
}

func insert(ctx context.Context, tx bun.Tx, p domain.Payment) (bool, error) {
	r := row{
		Reference: p.Reference, TransactionID: p.TransactionID, Arrived: p.Arrived, StatusCode: p.Status, Message: p.Message,
		Behaviour: string(p.Behaviour), Last4: p.Last4, AmountCents: p.AmountCents, CurrencyCode: p.Currency, CreatedAt: p.CreatedAt,
	}
	if p.Refunded {
		r.RefundedAt = &p.CreatedAt
	}
	result, err := tx.NewInsert().Model(&r).On("CONFLICT (reference) DO NOTHING").Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("insert payment: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func get(ctx context.Context, db bun.IDB, column, value string) (domain.Payment, error) {
	var r row
	err := db.NewSelect().Model(&r).Where("? = ?", bun.Ident(column), value).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Payment{}, ErrNotFound
	}
	if err != nil {
		return domain.Payment{}, fmt.Errorf("select payment: %w", err)
	}
	return r.payment(), nil
}

func (r row) payment() domain.Payment {
	return domain.Payment{
		Reference: r.Reference, TransactionID: r.TransactionID, Arrived: r.Arrived, Status: r.StatusCode, Message: r.Message,
		Behaviour: domain.Behaviour(r.Behaviour), Last4: r.Last4, AmountCents: r.AmountCents, Currency: r.CurrencyCode,
		CreatedAt: r.CreatedAt, Refunded: r.RefundedAt != nil,
	}
}

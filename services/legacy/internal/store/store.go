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
)

// ErrNotFound is what Get gives for an id that is not known.
var ErrNotFound = errors.New("payment not found")

// Payment is what the service keeps.
type Payment struct {
	bun.BaseModel `bun:"table:payments"`

	ID        string `bun:",pk"`
	Name      string
	CreatedAt time.Time
}

// Store keeps payments.
type Store struct {
	db *database.DB
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db}
}

// Create keeps a payment.
func (s *Store) Create(ctx context.Context, payment Payment) error {
	if _, err := s.db.NewInsert().Model(&payment).Exec(ctx); err != nil {
		return fmt.Errorf("insert payment: %w", err)
	}
	return nil
}

// Get gives the payment of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Payment, error) {
	var payment Payment
	err := s.db.NewSelect().Model(&payment).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Payment{}, ErrNotFound
	}
	if err != nil {
		return Payment{}, fmt.Errorf("select payment: %w", err)
	}
	return payment, nil
}

// List gives at most limit payments with ids greater than after, in the order of their ids.
func (s *Store) List(ctx context.Context, after string, limit int) ([]Payment, error) {
	var payments []Payment
	err := s.db.NewSelect().Model(&payments).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select payments: %w", err)
	}
	return payments, nil
}

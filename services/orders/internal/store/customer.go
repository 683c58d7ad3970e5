package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

type customerRow struct {
	bun.BaseModel `bun:"table:customers"`

	ID   string `bun:",pk"`
	Name string
}

// KeepCustomer keeps what an event told of a customer, in the transaction that marks the event as handled.
func KeepCustomer(ctx context.Context, tx bun.IDB, customer domain.Customer) error {
	row := customerRow{ID: customer.ID, Name: customer.Name}
	if _, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO UPDATE").Set("name = EXCLUDED.name").Exec(ctx); err != nil {
		return fmt.Errorf("keep customer: %w", err)
	}
	return nil
}

// Customer gives the customer of an id as the last event told, or ErrNotFound.
func (s *Store) Customer(ctx context.Context, id string) (domain.Customer, error) {
	var row customerRow
	err := s.db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Customer{}, ErrNotFound
	}
	if err != nil {
		return domain.Customer{}, fmt.Errorf("select customer: %w", err)
	}
	return domain.Customer{ID: row.ID, Name: row.Name}, nil
}

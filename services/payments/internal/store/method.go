package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// KeepMethod keeps a card on file.
func (s *Store) KeepMethod(ctx context.Context, m domain.Method) error {
	row := methodRow{ID: m.ID, CustomerID: m.CustomerID, Brand: m.Brand, Last4: m.Last4, Card: m.Card, CreatedAt: m.CreatedAt}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("insert payment method: %w", err)
		}
		return nil
	})
}

// Method gives a card on file, or ErrNotFound.
func (s *Store) Method(ctx context.Context, id string) (method domain.Method, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { // on the connection of the caller's, if there is one
		row, err := one[methodRow](ctx, tx.NewSelect(), "id", id)
		method = domain.Method{
			ID: row.ID, CustomerID: row.CustomerID, Brand: row.Brand, Last4: row.Last4, Card: row.Card, CreatedAt: row.CreatedAt.UTC(),
		}
		return err
	})
	return method, err
}

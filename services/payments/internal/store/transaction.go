package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// Decide changes the transaction of an id with fn, in one transaction with what fn does with its context. One that is not
// known has no state yet.
func (s *Store) Decide(ctx context.Context, id string, at time.Time, fn func(context.Context, *domain.Transaction) error) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := transactionRow{ID: id, ChangedAt: at}
		if _, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx); err != nil {
			return fmt.Errorf("insert transaction: %w", err)
		}
		row, err := one[transactionRow](ctx, s.db.ForUpdate(tx.NewSelect()), "id", id)
		if err != nil {
			return err
		}
		before := domain.Transaction{OrderID: row.OrderID, State: domain.State(row.State), Reason: row.Reason}
		t := before
		if err := fn(ctx, &t); err != nil || t == before {
			return err
		}
		row.OrderID, row.State, row.Reason, row.ChangedAt = t.OrderID, string(t.State), t.Reason, at
		if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update transaction: %w", err)
		}
		return nil
	})
}

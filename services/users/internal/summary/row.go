package summary

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/contracts/money"
)

// summaryRow is a summary as it is kept, without its totals.
type summaryRow struct {
	bun.BaseModel `bun:"table:summaries"`

	UserID      string `bun:",pk"`
	Version     int64
	OrderCount  int64
	LastOrderAt time.Time `bun:",nullzero"`
	Generation  int64
}

// totalRow is what a user has spent in a currency.
type totalRow struct {
	bun.BaseModel `bun:"table:summary_totals"`

	UserID   string `bun:",pk"`
	Currency string `bun:",pk"`
	Amount   string
}

// lock gives the summary of a user, whom nobody else sums up until the transaction ends.
func (s *Summaries) lock(ctx context.Context, tx bun.Tx, userID string) (Summary, error) {
	row := summaryRow{UserID: userID, Generation: s.generation}
	if _, err := tx.NewInsert().Model(&row).On("CONFLICT (user_id) DO NOTHING").Exec(ctx); err != nil {
		return Summary{}, fmt.Errorf("insert summary: %w", err)
	}
	if err := s.db.ForUpdate(tx.NewSelect().Model(&row).WherePK()).Scan(ctx); err != nil {
		return Summary{}, fmt.Errorf("lock summary: %w", err)
	}
	return read(ctx, tx, userID)
}

// read gives a summary in one statement, and so as it was at one moment.
func read(ctx context.Context, db bun.IDB, userID string) (Summary, error) {
	summary := Summary{UserID: userID}
	var rows []struct {
		Version     int64
		OrderCount  int64
		LastOrderAt time.Time `bun:",nullzero"`
		Amount      string
		Currency    string
	}
	err := db.NewSelect().TableExpr("summaries AS s").Join("LEFT JOIN summary_totals AS t ON t.user_id = s.user_id").
		ColumnExpr("s.version, s.order_count, s.last_order_at, COALESCE(t.amount, '') AS amount, COALESCE(t.currency, '') AS currency").
		Where("s.user_id = ?", userID).OrderExpr("t.currency").Scan(ctx, &rows)
	if err != nil {
		return Summary{}, fmt.Errorf("select summary: %w", err)
	}
	for _, row := range rows {
		summary.Version, summary.OrderCount, summary.LastOrderAt = row.Version, row.OrderCount, row.LastOrderAt.UTC()
		if row.Currency == "" {
			continue
		}
		total, err := money.New(row.Amount, row.Currency)
		if err != nil {
			return Summary{}, fmt.Errorf("read total: %w", err)
		}
		summary.Totals = append(summary.Totals, total)
	}
	return summary, nil
}

// write puts a summary in the place of the locked one. Totals only come: an order that was counted stays so.
func (s *Summaries) write(ctx context.Context, tx bun.Tx, to Summary) error {
	row := summaryRow{UserID: to.UserID, Version: to.Version, OrderCount: to.OrderCount, LastOrderAt: to.LastOrderAt, Generation: s.generation}
	if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("update summary: %w", err)
	}
	for _, total := range to.Totals {
		t := totalRow{UserID: to.UserID, Currency: total.Currency(), Amount: total.Amount()}
		if _, err := tx.NewInsert().Model(&t).On("CONFLICT (user_id, currency) DO UPDATE").Set("amount = EXCLUDED.amount").Exec(ctx); err != nil {
			return fmt.Errorf("write total: %w", err)
		}
	}
	return nil
}

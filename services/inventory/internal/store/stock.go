package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// stockRow is the stock of a product as the table has it.
type stockRow struct {
	bun.BaseModel `bun:"table:stock"`

	ProductID string `bun:",pk"`
	OnHand    int
	Reserved  int
}

func (r stockRow) stock() domain.Stock {
	return domain.Stock{ProductID: r.ProductID, OnHand: r.OnHand, Reserved: r.Reserved}
}

func rowOf(stock domain.Stock) stockRow {
	return stockRow{ProductID: stock.ProductID, OnHand: stock.OnHand, Reserved: stock.Reserved}
}

// Stock gives the stock of a product; one that nobody has set is zero.
func (s *Store) Stock(ctx context.Context, productID string) (domain.Stock, error) {
	row := stockRow{ProductID: productID}
	err := s.db.NewSelect().Model(&row).WherePK().Scan(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return domain.Stock{}, fmt.Errorf("select stock: %w", err)
	}
	return row.stock(), nil
}

// SetStock keeps how many pieces of a product are on the shelf; domain.ErrBelowReserved when more are reserved.
func (s *Store) SetStock(ctx context.Context, productID string, onHand int) (set domain.Stock, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		row := stockRow{ProductID: productID}
		if _, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return fmt.Errorf("insert stock: %w", err)
		}
		if err := s.db.ForUpdate(tx.NewSelect().Model(&row).WherePK()).Scan(ctx); err != nil {
			return fmt.Errorf("lock stock: %w", err)
		}
		if set, err = row.stock().Set(onHand); err != nil {
			return err
		}
		row = rowOf(set)
		if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update stock: %w", err)
		}
		return nil
	})
	return set, err
}

// moveStock changes the stock of a reservation's products as it goes from one state to another: of all, or of none.
func (s *Store) moveStock(ctx context.Context, tx bun.Tx, lines []domain.Line, from, to domain.State) error {
	if len(lines) == 0 {
		return nil
	}
	stocks, err := s.lockStock(ctx, tx, lines)
	if err != nil {
		return err
	}
	rows := make([]stockRow, 0, len(lines))
	for _, line := range lines {
		stock := stocks[line.ProductID]
		stock.ProductID = line.ProductID
		moved, err := stock.Move(line.Quantity, from, to)
		if err != nil {
			return err
		}
		rows = append(rows, rowOf(moved))
	}
	_, err = tx.NewInsert().Model(&rows).On("CONFLICT (product_id) DO UPDATE").
		Set("on_hand = EXCLUDED.on_hand").Set("reserved = EXCLUDED.reserved").Exec(ctx)
	if err != nil {
		return fmt.Errorf("update stock: %w", err)
	}
	return nil
}

func (s *Store) lockStock(ctx context.Context, tx bun.Tx, lines []domain.Line) (map[string]domain.Stock, error) {
	products := make([]string, len(lines))
	for i, line := range lines {
		products[i] = line.ProductID
	}
	var rows []stockRow
	query := tx.NewSelect().Model(&rows).Where("product_id IN (?)", bun.List(products)).Order("product_id")
	if err := s.db.ForUpdate(query).Scan(ctx); err != nil {
		return nil, fmt.Errorf("lock stock: %w", err)
	}
	stocks := make(map[string]domain.Stock, len(rows))
	for _, row := range rows {
		stocks[row.ProductID] = row.stock()
	}
	return stocks, nil
}

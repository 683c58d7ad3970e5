// Package monolith is what is left of the old shop: its products, which the catalog has taken over, and its suppliers, which
// nobody has. It is old on purpose: prices are numbers of cents, and pages are counted.
package monolith

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// ErrNotFound is what a product or supplier that is not known gives.
var ErrNotFound = errors.New("not in the monolith")

// Product is a product as the monolith has it.
type Product struct {
	bun.BaseModel `bun:"table:monolith_products"`

	ID         string `bun:"product_id,pk"`
	Code       string `bun:"product_code"`
	Title      string
	LongText   string
	PriceCents int64  // in the smallest unit of the currency
	Currency   string `bun:"currency_code"`
	Revision   int    // counts the changes from 1
	EnteredAt  time.Time
	ChangedAt  time.Time
}

// Supplier is who the goods come from.
type Supplier struct {
	bun.BaseModel `bun:"table:monolith_suppliers"`

	ID      string `bun:"supplier_id,pk"`
	Company string `bun:"company_name"`
	City    string
}

// Store keeps products and suppliers in the service's database.
type Store struct {
	db *database.DB
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db}
}

// Products gives a page, counted from 1, in the order of the ids' bytes, and how many products there are.
func (s *Store) Products(ctx context.Context, page, perPage int) (products []Product, total int, err error) {
	count, err := s.db.NewSelect().Model(&products).Order("product_id").Limit(int64(perPage)).Offset(skipped(page, perPage)).ScanAndCount(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("select products: %w", err)
	}
	return products, int(count), nil
}

// Product gives the product of an id, or ErrNotFound.
func (s *Store) Product(ctx context.Context, id string) (Product, error) {
	var product Product
	err := s.db.NewSelect().Model(&product).Where("product_id = ?", id).Scan(ctx)
	return product, found(err, "product")
}

// PutProduct keeps a product and gives it with its revision. What is there already with the same content is left as it is.
func (s *Store) PutProduct(ctx context.Context, p Product, at time.Time) (kept Product, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewRaw(`
INSERT INTO monolith_products AS old (product_id, product_code, title, long_text, price_cents, currency_code, revision, entered_at, changed_at)
VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)
ON CONFLICT (product_id) DO UPDATE SET
  product_code = EXCLUDED.product_code, title = EXCLUDED.title, long_text = EXCLUDED.long_text, price_cents = EXCLUDED.price_cents,
  currency_code = EXCLUDED.currency_code, revision = old.revision + 1, changed_at = EXCLUDED.changed_at
WHERE old.product_code <> EXCLUDED.product_code OR old.title <> EXCLUDED.title OR old.long_text <> EXCLUDED.long_text
  OR old.price_cents <> EXCLUDED.price_cents OR old.currency_code <> EXCLUDED.currency_code`,
			p.ID, p.Code, p.Title, p.LongText, p.PriceCents, p.Currency, at, at).Exec(ctx)
		if err != nil {
			return fmt.Errorf("put product: %w", err)
		}
		return found(tx.NewSelect().Model(&kept).Where("product_id = ?", p.ID).Scan(ctx), "product")
	})
	return kept, err
}

// Suppliers gives a page, counted from 1, in the order of the ids' bytes, and how many suppliers there are.
func (s *Store) Suppliers(ctx context.Context, page, perPage int) (suppliers []Supplier, total int, err error) {
	count, err := s.db.NewSelect().Model(&suppliers).Order("supplier_id").Limit(int64(perPage)).Offset(skipped(page, perPage)).ScanAndCount(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("select suppliers: %w", err)
	}
	return suppliers, int(count), nil
}

// Supplier gives the supplier of an id, or ErrNotFound.
func (s *Store) Supplier(ctx context.Context, id string) (Supplier, error) {
	var supplier Supplier
	err := s.db.NewSelect().Model(&supplier).Where("supplier_id = ?", id).Scan(ctx)
	return supplier, found(err, "supplier")
}

func skipped(page, perPage int) int64 { return int64(page-1) * int64(perPage) }

func found(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	}
	return fmt.Errorf("select %s: %w", what, err)
}

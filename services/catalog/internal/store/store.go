// Package store keeps products in the service's database.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

var (
	// ErrNotFound is what Get and Update give for an id that is not known.
	ErrNotFound = errors.New("product not found")
	// ErrTaken is what Create and Update give for a sku that another product has.
	ErrTaken = errors.New("sku is taken")
	// ErrChanged is what Update gives when the product has another version by now.
	ErrChanged = errors.New("product was changed")
)

// Product is what the service keeps.
type Product struct {
	bun.BaseModel `bun:"table:products"`

	ID          string `bun:",pk"`
	SKU         string
	Name        string
	Description string
	Price       Price `bun:"embed:price_"`
	Version     int   // counts the changes from 1
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Price is a decimal number, kept as its text, in a currency.
type Price struct {
	Amount   string
	Currency string // ISO 4217
}

// Guard keeps copies of products elsewhere, and must not keep any that has changed. Neither method can fail: a guard that cannot do
// what it is told has to see to it by itself.
type Guard interface {
	// Hold is called before a change of the products is committed, in its transaction, which may yet come to nothing.
	Hold(ctx context.Context, ids []string)
	// Release is called after it has been committed.
	Release(ctx context.Context, ids []string)
}

// Done does something in the transaction of a change, such as to keep the answer to its request.
type Done func(ctx context.Context, tx bun.Tx) error

func (d Done) call(ctx context.Context, tx bun.Tx) error {
	if d == nil {
		return nil
	}
	return d(ctx, tx)
}

// Store keeps products.
type Store struct {
	db    *database.DB
	guard Guard
}

// New makes a store in db. The guard may be nil.
func New(db *database.DB, guard Guard) *Store {
	return &Store{db: db, guard: guard}
}

// Create keeps a product. What done does, if it is not nil, is kept with it, or neither is. There are no copies of a product that
// was not there, so that the guard need not know of it.
func (s *Store) Create(ctx context.Context, product Product, done Done) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewInsert().Model(&product).On("CONFLICT (sku) DO NOTHING").Exec(ctx)
		if err != nil {
			return fmt.Errorf("insert product: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrTaken)
		}
		return done.call(ctx, tx)
	})
}

// Get gives the product of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Product, error) {
	return get(ctx, s.db, id)
}

func get(ctx context.Context, db bun.IDB, id string) (Product, error) {
	var product Product
	err := db.NewSelect().Model(&product).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Product{}, ErrNotFound
	}
	if err != nil {
		return Product{}, fmt.Errorf("select product: %w", err)
	}
	return product, nil
}

// List gives at most limit products with ids greater than after, in the order of their ids.
func (s *Store) List(ctx context.Context, after string, limit int) ([]Product, error) {
	var products []Product
	err := s.db.NewSelect().Model(&products).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select products: %w", err)
	}
	return products, nil
}

// Some gives the products of the ids, in the order of these; those that there are not are left out.
func (s *Store) Some(ctx context.Context, ids []string) ([]Product, error) {
	var found []Product
	if err := s.db.NewSelect().Model(&found).Where("id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("select products: %w", err)
	}
	slices.SortFunc(found, func(a, b Product) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return found, nil
}

// Update replaces the product of product.ID if it has the version given in product, and gives what is kept now.
func (s *Store) Update(ctx context.Context, product Product) (updated Product, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		taken, err := tx.NewSelect().Model((*Product)(nil)).Where("sku = ?", product.SKU).Where("id <> ?", product.ID).Exists(ctx)
		if err != nil {
			return fmt.Errorf("look for the sku: %w", err)
		}
		if taken {
			return ErrTaken
		}
		result, err := tx.NewUpdate().Model(&product).
			Column("sku", "name", "description", "price_amount", "price_currency", "updated_at").
			Set("version = version + 1").
			Where("id = ?", product.ID).Where("version = ?", product.Version).Exec(ctx)
		if err != nil {
			return fmt.Errorf("update product: %w", err)
		}
		changed, err := result.RowsAffected()
		if err != nil {
			return fmt.Errorf("update product: %w", err)
		}
		if updated, err = get(ctx, tx, product.ID); err == nil && changed == 0 {
			err = ErrChanged
		}
		if err != nil {
			return err
		}
		s.changing(ctx, []string{product.ID})
		return nil
	})
	return updated, err
}

// Delete removes the product of an id, if there is one.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*Product)(nil)).Where("id = ?", id).Exec(ctx); err != nil {
			return fmt.Errorf("delete product: %w", err)
		}
		s.changing(ctx, []string{id})
		return nil
	})
}

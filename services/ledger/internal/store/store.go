// Package store keeps accounts in the service's database.
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
var ErrNotFound = errors.New("account not found")

// Account is what the service keeps.
type Account struct {
	bun.BaseModel `bun:"table:accounts"`

	ID        string `bun:",pk"`
	Name      string
	CreatedAt time.Time
}

// Store keeps accounts.
type Store struct {
	db *database.DB
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db}
}

// Create keeps an account.
func (s *Store) Create(ctx context.Context, account Account) error {
	if _, err := s.db.NewInsert().Model(&account).Exec(ctx); err != nil {
		return fmt.Errorf("insert account: %w", err)
	}
	return nil
}

// Get gives the account of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Account, error) {
	var account Account
	err := s.db.NewSelect().Model(&account).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Account{}, ErrNotFound
	}
	if err != nil {
		return Account{}, fmt.Errorf("select account: %w", err)
	}
	return account, nil
}

// List gives at most limit accounts with ids greater than after, in the order of their ids.
func (s *Store) List(ctx context.Context, after string, limit int) ([]Account, error) {
	var accounts []Account
	err := s.db.NewSelect().Model(&accounts).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select accounts: %w", err)
	}
	return accounts, nil
}

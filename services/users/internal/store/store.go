// Package store keeps users in the service's database.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
)

var (
	// ErrNotFound is a user or a client that is not known.
	ErrNotFound = errors.New("not found")
	// ErrTaken is what Create gives for an e-mail address that another user has.
	ErrTaken = errors.New("e-mail address is taken")
)

// User is what the service keeps.
type User struct {
	bun.BaseModel `bun:"table:users"`

	ID        string `bun:",pk"`
	Email     string // in lower case
	Name      string
	CreatedAt time.Time
	// PasswordHash is empty for a user who cannot log in.
	PasswordHash string
}

// Store keeps users.
type Store struct {
	db     *database.DB
	outbox *outbox.Outbox
}

// New makes a store in db, whose events leave through the outbox.
func New(db *database.DB, outbox *outbox.Outbox) *Store {
	return &Store{db: db, outbox: outbox}
}

// Create keeps a user and its events in one transaction: there is never one without the others.
func (s *Store) Create(ctx context.Context, user User, events ...event.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewInsert().Model(&user).On("CONFLICT (email) DO NOTHING").Exec(ctx)
		if err != nil {
			return fmt.Errorf("insert user: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrTaken)
		}
		return s.outbox.Append(ctx, tx, events...)
	})
}

// Get gives the user of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (User, error) {
	return one[User](ctx, s, "user", "id = ?", id)
}

// UserByEmail gives the user with an address in lower case, or ErrNotFound.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) {
	return one[User](ctx, s, "user", "email = ?", email)
}

// one gives the row that the condition is true of, or ErrNotFound.
func one[Row any](ctx context.Context, s *Store, what, condition, value string) (Row, error) {
	var row, none Row
	err := s.db.NewSelect().Model(&row).Where(condition, value).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return none, ErrNotFound
	}
	if err != nil {
		return none, fmt.Errorf("select %s: %w", what, err)
	}
	return row, nil
}

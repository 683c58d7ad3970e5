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
	// ErrNotFound is what Get gives for an id that is not known.
	ErrNotFound = errors.New("user not found")
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
	var user User
	err := s.db.NewSelect().Model(&user).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("select user: %w", err)
	}
	return user, nil
}

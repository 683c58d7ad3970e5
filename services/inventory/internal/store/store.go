// Package store keeps reservations in the service's database.
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

// ErrNotFound is what Get gives for an id that is not known.
var ErrNotFound = errors.New("reservation not found")

// Reservation is what the service keeps.
type Reservation struct {
	bun.BaseModel `bun:"table:reservations"`

	ID        string `bun:",pk"`
	Name      string
	CreatedAt time.Time
}

// Store keeps reservations.
type Store struct {
	db     *database.DB
	outbox *outbox.Outbox
}

// New makes a store in db, whose events leave through the outbox.
func New(db *database.DB, outbox *outbox.Outbox) *Store {
	return &Store{db: db, outbox: outbox}
}

// Create keeps a reservation and its events in one transaction: there is never one without the others.
func (s *Store) Create(ctx context.Context, reservation Reservation, events ...event.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&reservation).Exec(ctx); err != nil {
			return fmt.Errorf("insert reservation: %w", err)
		}
		return s.outbox.Append(ctx, tx, events...)
	})
}

// Get gives the reservation of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Reservation, error) {
	var reservation Reservation
	err := s.db.NewSelect().Model(&reservation).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Reservation{}, ErrNotFound
	}
	if err != nil {
		return Reservation{}, fmt.Errorf("select reservation: %w", err)
	}
	return reservation, nil
}

// List gives at most limit reservations with ids greater than after, in the order of their ids.
func (s *Store) List(ctx context.Context, after string, limit int) ([]Reservation, error) {
	var reservations []Reservation
	err := s.db.NewSelect().Model(&reservations).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select reservations: %w", err)
	}
	return reservations, nil
}

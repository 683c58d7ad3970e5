// Package store keeps shipments in the service's database.
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
var ErrNotFound = errors.New("shipment not found")

// Shipment is what the service keeps.
type Shipment struct {
	bun.BaseModel `bun:"table:shipments"`

	ID        string `bun:",pk"`
	Name      string
	CreatedAt time.Time
}

// Store keeps shipments.
type Store struct {
	db     *database.DB
	outbox *outbox.Outbox
}

// New makes a store in db, whose events leave through the outbox.
func New(db *database.DB, outbox *outbox.Outbox) *Store {
	return &Store{db: db, outbox: outbox}
}

// Create keeps a shipment and its events in one transaction: there is never one without the others.
func (s *Store) Create(ctx context.Context, shipment Shipment, events ...event.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&shipment).Exec(ctx); err != nil {
			return fmt.Errorf("insert shipment: %w", err)
		}
		return s.outbox.Append(ctx, tx, events...)
	})
}

// Get gives the shipment of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (Shipment, error) {
	var shipment Shipment
	err := s.db.NewSelect().Model(&shipment).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Shipment{}, ErrNotFound
	}
	if err != nil {
		return Shipment{}, fmt.Errorf("select shipment: %w", err)
	}
	return shipment, nil
}

// List gives at most limit shipments with ids greater than after, in the order of their ids.
func (s *Store) List(ctx context.Context, after string, limit int) ([]Shipment, error) {
	var shipments []Shipment
	err := s.db.NewSelect().Model(&shipments).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select shipments: %w", err)
	}
	return shipments, nil
}

// Package store keeps shipments in the service's database.
package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

// ErrNotFound is what Get gives for an order that has no shipment.
var ErrNotFound = errors.New("shipment not found")

// row is a shipment as the table has it.
type row struct {
	bun.BaseModel `bun:"table:shipments"`

	OrderID    string `bun:",pk"`
	ID         string
	State      string
	CustomerID string
	Address    string
	Lines      string
	CreatedAt  time.Time
}

// Store keeps shipments.
type Store struct {
	db    *database.DB
	now   func() time.Time
	newID func() string
}

// New makes a store in db.
func New(db *database.DB) *Store {
	return &Store{db: db, now: time.Now, newID: newID}
}

// newID gives ids that sort by the time they were made at.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// Get gives the shipment of an order, or ErrNotFound.
func (s *Store) Get(ctx context.Context, orderID string) (domain.Shipment, error) {
	var r row
	err := s.db.NewSelect().Model(&r).Where("order_id = ?", orderID).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Shipment{}, ErrNotFound
	}
	if err != nil {
		return domain.Shipment{}, fmt.Errorf("select shipment: %w", err)
	}
	shipment, err := r.shipment()
	if err == nil && !shipment.Visible() {
		return domain.Shipment{}, ErrNotFound
	}
	return shipment, err
}

// Handle does what follows from a message about an order, and gives the shipment after it and whether its state has changed.
// The parcel comes with domain.Arrange, domain.Promise and domain.Complete. On an error, of the domain too, nothing is kept. In
// the transaction that ctx carries, if it does, it is a part of that.
func (s *Store) Handle(ctx context.Context, orderID string, m domain.Message, parcel domain.Parcel) (domain.Shipment, bool, error) {
	var before, after domain.Shipment
	says := domain.Says{Message: m, Parcel: parcel, ID: s.newID(), At: s.now().UTC().Truncate(time.Microsecond)}
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if before, err = s.lock(ctx, tx, orderID); err != nil {
			return err
		}
		if after, err = before.After(says); err != nil || after.State == before.State {
			return err
		}
		return update(ctx, tx, after)
	})
	if err != nil {
		return domain.Shipment{}, false, fmt.Errorf("order %s: %w", orderID, err)
	}
	return after, after.State != before.State, nil
}

// lock reads the shipment of an order and makes others wait who want to change it. The row is made when there is none, so that
// there is one to lock: of two who are the first to hear of an order, one waits for the other.
func (s *Store) lock(ctx context.Context, tx bun.Tx, orderID string) (domain.Shipment, error) {
	r := row{OrderID: orderID, State: string(domain.Absent), Lines: "[]"}
	if _, err := tx.NewInsert().Model(&r).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return domain.Shipment{}, fmt.Errorf("insert shipment: %w", err)
	}
	if err := s.db.ForUpdate(tx.NewSelect().Model(&r).WherePK()).Scan(ctx); err != nil {
		return domain.Shipment{}, fmt.Errorf("lock shipment: %w", err)
	}
	return r.shipment()
}

func update(ctx context.Context, tx bun.Tx, shipment domain.Shipment) error {
	lines, err := json.Marshal(shipment.Parcel.Lines)
	if err != nil {
		return fmt.Errorf("write the shipment's lines: %w", err)
	}
	r := row{
		OrderID: shipment.OrderID, ID: shipment.ID, State: string(shipment.State), CreatedAt: shipment.CreatedAt,
		CustomerID: shipment.Parcel.CustomerID, Address: shipment.Parcel.Address, Lines: string(lines),
	}
	if _, err := tx.NewUpdate().Model(&r).WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("update shipment: %w", err)
	}
	return nil
}

func (r row) shipment() (domain.Shipment, error) {
	shipment := domain.Shipment{
		ID: r.ID, OrderID: r.OrderID, State: domain.State(r.State), CreatedAt: r.CreatedAt.UTC(),
		Parcel: domain.Parcel{CustomerID: r.CustomerID, Address: r.Address},
	}
	if err := json.Unmarshal([]byte(r.Lines), &shipment.Parcel.Lines); err != nil {
		return domain.Shipment{}, fmt.Errorf("the lines of shipment %s: %w", r.ID, err)
	}
	return shipment, nil
}

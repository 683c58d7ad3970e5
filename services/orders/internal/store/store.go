// Package store keeps orders and customers in the service's database.
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
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// ErrNotFound is what Get and Customer give for an id that is not known.
var ErrNotFound = errors.New("not found")

// orderRow and itemRow are an order as tables have it.
type orderRow struct {
	bun.BaseModel `bun:"table:orders"`

	ID           string `bun:",pk"`
	CustomerID   string
	CustomerName string
	Status       string
	Total        amount `bun:"embed:total_"`
	CreatedAt    time.Time
}

type itemRow struct {
	bun.BaseModel `bun:"table:order_items"`

	OrderID   string `bun:",pk"`
	Position  int    `bun:",pk"`
	ProductID string
	Name      string
	Quantity  int
	Unit      amount `bun:"embed:unit_"`
}

// amount is money as columns have it. The number is text: no database rounds it.
type amount struct {
	Amount   string
	Currency string
}

func amountOf(m money.Money) amount { return amount{Amount: m.Amount(), Currency: m.Currency()} }

func (a amount) money() (money.Money, error) { return money.New(a.Amount, a.Currency) }

// Store keeps orders and customers.
type Store struct {
	db     *database.DB
	outbox *outbox.Outbox
}

// New makes a store in db, whose events leave through the outbox.
func New(db *database.DB, outbox *outbox.Outbox) *Store {
	return &Store{db: db, outbox: outbox}
}

// Create keeps an order and its events in one transaction: there is never one without the others.
func (s *Store) Create(ctx context.Context, order domain.Order, events ...event.Event) error {
	row := orderRow{
		ID: order.ID, CustomerID: order.Customer.ID, CustomerName: order.Customer.Name, Status: string(order.Status),
		Total: amountOf(order.Total), CreatedAt: order.CreatedAt,
	}
	items := make([]itemRow, len(order.Items))
	for i, item := range order.Items {
		items[i] = itemRow{
			OrderID: order.ID, Position: i, ProductID: item.ProductID, Name: item.Name, Quantity: item.Quantity, Unit: amountOf(item.UnitPrice),
		}
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("insert order: %w", err)
		}
		if _, err := tx.NewInsert().Model(&items).Exec(ctx); err != nil {
			return fmt.Errorf("insert the order's items: %w", err)
		}
		return s.outbox.Append(ctx, tx, events...)
	})
}

// Get gives the order of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (domain.Order, error) {
	var row orderRow
	err := s.db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Order{}, ErrNotFound
	}
	if err != nil {
		return domain.Order{}, fmt.Errorf("select order: %w", err)
	}
	var items []itemRow
	if err := s.db.NewSelect().Model(&items).Where("order_id = ?", id).Order("position").Scan(ctx); err != nil {
		return domain.Order{}, fmt.Errorf("select the order's items: %w", err)
	}
	return restore(row, items)
}

func restore(row orderRow, items []itemRow) (domain.Order, error) {
	total, err := row.Total.money()
	if err != nil {
		return domain.Order{}, fmt.Errorf("order %s: %w", row.ID, err)
	}
	order := domain.Order{
		ID: row.ID, Customer: domain.Customer{ID: row.CustomerID, Name: row.CustomerName}, Status: domain.Status(row.Status),
		Total: total, CreatedAt: row.CreatedAt,
	}
	for _, item := range items {
		unit, err := item.Unit.money()
		if err != nil {
			return domain.Order{}, fmt.Errorf("item %d of order %s: %w", item.Position, row.ID, err)
		}
		order.Items = append(order.Items, domain.Item{ProductID: item.ProductID, Name: item.Name, Quantity: item.Quantity, UnitPrice: unit})
	}
	return order, nil
}

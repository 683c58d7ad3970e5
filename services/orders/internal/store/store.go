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
	Reason       string
	Fulfilment   string
	Total        amount `bun:"embed:total_"`

	PaymentMethod   string
	ShippingAddress string

	CreatedAt time.Time
	SettledAt time.Time `bun:",nullzero"`
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

// statusBefore is what orders were kept as before they could be completed: by programs of then, which may run beside this one.
const statusBefore = "created"

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
		ID: order.ID, CustomerID: order.Customer.ID, CustomerName: order.Customer.Name, Status: string(order.Status), Reason: order.Reason,
		Fulfilment: string(order.Fulfilment), Total: amountOf(order.Total), PaymentMethod: order.Terms.PaymentMethod, ShippingAddress: order.Terms.ShippingAddress, CreatedAt: order.CreatedAt,
		SettledAt: order.SettledAt,
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

// Settle has change settle the order of an id, in the transaction that marks the event which said so as handled, and gives it, with
// whether that is new. While it runs, nobody else settles the order. It gives ErrNotFound for an id that is not known.
func Settle(ctx context.Context, tx bun.IDB, id string, change func(*domain.Order) bool) (order domain.Order, settled bool, err error) {
	if order, err = get(ctx, tx, id); err != nil {
		return order, false, err
	}
	if !change(&order) {
		return order, false, nil
	}
	// Whoever comes second finds the order settled, or waits here until it is.
	result, err := tx.NewUpdate().Model((*orderRow)(nil)).Where("id = ?", id).Where("status NOT IN (?)", bun.List(settledStatuses)).
		Set("status = ?", string(order.Status)).Set("reason = ?", order.Reason).Set("settled_at = ?", order.SettledAt).Exec(ctx)
	if err != nil {
		return order, false, fmt.Errorf("update order: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		order, getErr := get(ctx, tx, id)
		return order, false, errors.Join(err, getErr)
	}
	return order, true, nil
}

var settledStatuses = []string{string(domain.Completed), string(domain.Cancelled)}

// Get gives the order of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (domain.Order, error) { return get(ctx, s.db, id) }

func get(ctx context.Context, db bun.IDB, id string) (domain.Order, error) {
	var row orderRow
	err := db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Order{}, ErrNotFound
	}
	if err != nil {
		return domain.Order{}, fmt.Errorf("select order: %w", err)
	}
	orders, err := withItems(ctx, db, []orderRow{row})
	if err != nil {
		return domain.Order{}, err
	}
	return orders[0], nil
}

// List gives the orders of a customer, the latest first, at most limit.
func (s *Store) List(ctx context.Context, customer string, limit int) ([]domain.Order, error) {
	var rows []orderRow
	err := s.db.NewSelect().Model(&rows).Where("customer_id = ?", customer).Order("created_at DESC", "id DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select orders: %w", err)
	}
	return withItems(ctx, s.db, rows)
}

// withItems gives orders of their rows, after it has read all their items at once.
func withItems(ctx context.Context, db bun.IDB, rows []orderRow) ([]domain.Order, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	var all []itemRow
	if err := db.NewSelect().Model(&all).Where("order_id IN (?)", bun.List(ids)).Order("order_id", "position").Scan(ctx); err != nil {
		return nil, fmt.Errorf("select the orders' items: %w", err)
	}
	items := map[string][]itemRow{}
	for _, item := range all {
		items[item.OrderID] = append(items[item.OrderID], item)
	}
	orders := make([]domain.Order, len(rows))
	for i, row := range rows {
		var err error
		if orders[i], err = restore(row, items[row.ID]); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

func restore(row orderRow, items []itemRow) (domain.Order, error) {
	total, err := row.Total.money()
	if err != nil {
		return domain.Order{}, fmt.Errorf("order %s: %w", row.ID, err)
	}
	order := domain.Order{
		ID: row.ID, Customer: domain.Customer{ID: row.CustomerID, Name: row.CustomerName}, Status: domain.Status(row.Status), Reason: row.Reason,
		Fulfilment: domain.Fulfilment(row.Fulfilment), Total: total, Terms: domain.Terms{PaymentMethod: row.PaymentMethod, ShippingAddress: row.ShippingAddress},
		CreatedAt: row.CreatedAt, SettledAt: row.SettledAt,
	}
	if row.Status == statusBefore {
		order.Status = domain.Confirmed
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

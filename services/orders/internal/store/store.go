// Package store keeps orders and customers in the service's database. It is the repository of the aggregate domain.Order: an order is
// added, changed by a closure, and read.
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
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/internal/announce"
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

	PaymentMethod   string // empty: a draft of which nobody has said it
	ShippingAddress string // empty: likewise; else to where the customer is known to be
	Bill            bill   `bun:"embed:bill_"`

	CreatedAt   time.Time
	ConfirmedAt time.Time `bun:",nullzero"` // none, too, for orders of programs of before
	SettledAt   time.Time `bun:",nullzero"`
	PaidAt      time.Time `bun:",nullzero"`
}

// bill is the latest attempt to pay an invoice.
type bill struct {
	Attempt int
	Method  string
	Status  string
	Reason  string
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

// Add keeps a new order and what others are told of it, in one transaction: there is never one without the other.
func (s *Store) Add(ctx context.Context, order *domain.Order) error {
	kept := order.Snapshot()
	row := rowOf(kept)
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("insert order: %w", err)
		}
		if err := insertItems(ctx, tx, kept); err != nil {
			return err
		}
		return s.tell(ctx, tx, kept, order)
	})
}

// Update lets the function change the order of an id, and keeps it with what others are told of the change, in one transaction; while it
// runs, nobody else changes the order. It gives the order as it is then. An error of it changes nothing. It may run more than
// once, so it may do nothing beside the order. Update gives ErrNotFound for an id that is not known.
func (s *Store) Update(ctx context.Context, id string, change func(*domain.Order) error) (after domain.Snapshot, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		before, err := get(ctx, tx, s.db.ForUpdate(tx.NewSelect()), id)
		if err != nil {
			return err
		}
		order := domain.Restore(before)
		if err := change(order); err != nil {
			return err
		}
		after = order.Snapshot()
		if row := rowOf(after); row != rowOf(before) {
			if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
				return fmt.Errorf("update order: %w", err)
			}
		}
		if !slices.EqualFunc(before.Items, after.Items, domain.Item.Equal) {
			if _, err := tx.NewDelete().Model((*itemRow)(nil)).Where("order_id = ?", id).Exec(ctx); err != nil {
				return fmt.Errorf("delete the order's items: %w", err)
			}
			if err := insertItems(ctx, tx, after); err != nil {
				return err
			}
		}
		return s.tell(ctx, tx, after, order)
	})
	return after, err
}

// tell keeps what others are told of what has happened to an order.
func (s *Store) tell(ctx context.Context, tx bun.Tx, now domain.Snapshot, order *domain.Order) error {
	told, err := announce.Events(now, order.Events())
	if err != nil {
		return err
	}
	return s.outbox.Append(ctx, tx, told...)
}

func insertItems(ctx context.Context, tx bun.Tx, order domain.Snapshot) error {
	if len(order.Items) == 0 {
		return nil
	}
	rows := make([]itemRow, len(order.Items))
	for i, item := range order.Items {
		rows[i] = itemRow{
			OrderID: order.ID, Position: i, ProductID: item.ProductID, Name: item.Name, Quantity: int(item.Quantity), Unit: amountOf(item.UnitPrice),
		}
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return fmt.Errorf("insert the order's items: %w", err)
	}
	return nil
}

// Get gives the order of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (domain.Snapshot, error) {
	return get(ctx, s.db, s.db.NewSelect(), id)
}

// get reads an order with a query that may lock it.
func get(ctx context.Context, db bun.IDB, query *bun.SelectQuery, id string) (domain.Snapshot, error) {
	var row orderRow
	err := query.Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Snapshot{}, ErrNotFound
	}
	if err != nil {
		return domain.Snapshot{}, fmt.Errorf("select order: %w", err)
	}
	orders, err := withItems(ctx, db, []orderRow{row})
	if err != nil {
		return domain.Snapshot{}, err
	}
	return orders[0], nil
}

// List gives the orders of a customer, the latest first, at most limit: those of a status, or else all but drafts.
func (s *Store) List(ctx context.Context, customer string, status domain.Status, limit int) ([]domain.Snapshot, error) {
	var rows []orderRow
	query := s.db.NewSelect().Model(&rows).Where("customer_id = ?", customer).Order("created_at DESC", "id DESC").Limit(int64(limit))
	switch status {
	case "":
		query.Where("status <> ?", string(domain.Drafted))
	case domain.Confirmed:
		query.Where("status IN (?)", bun.List([]string{string(domain.Confirmed), statusBefore}))
	default:
		query.Where("status = ?", string(status))
	}
	if err := query.Scan(ctx); err != nil {
		return nil, fmt.Errorf("select orders: %w", err)
	}
	return withItems(ctx, s.db, rows)
}

// Drafts is how many drafts there are. They stay until they are confirmed.
func (s *Store) Drafts(ctx context.Context) (int64, error) {
	n, err := s.db.NewSelect().Model((*orderRow)(nil)).Where("status = 'draft'").Count(ctx) // as the index has it
	if err != nil {
		return 0, fmt.Errorf("count drafts: %w", err)
	}
	return n, nil
}

// withItems gives orders of their rows, after it has read all their items at once.
func withItems(ctx context.Context, db bun.IDB, rows []orderRow) ([]domain.Snapshot, error) {
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
	orders := make([]domain.Snapshot, len(rows))
	for i, row := range rows {
		var err error
		if orders[i], err = restore(row, items[row.ID]); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

func rowOf(order domain.Snapshot) orderRow {
	return orderRow{
		ID: order.ID, CustomerID: order.Customer.ID, CustomerName: order.Customer.Name, Status: string(order.Status), Reason: order.Reason,
		Fulfilment: string(order.Fulfilment), Total: amountOf(order.Total),
		PaymentMethod: order.Payment.Method, ShippingAddress: order.Shipping.Address,
		Bill:      bill{Attempt: order.Bill.Attempt, Method: order.Bill.Method, Status: string(order.Bill.Status), Reason: order.Bill.Reason},
		CreatedAt: order.CreatedAt, ConfirmedAt: order.ConfirmedAt, SettledAt: order.SettledAt, PaidAt: order.PaidAt,
	}
}

func restore(row orderRow, items []itemRow) (domain.Snapshot, error) {
	order := domain.Snapshot{
		ID: row.ID, Customer: domain.Customer{ID: row.CustomerID, Name: row.CustomerName}, Status: domain.Status(row.Status), Reason: row.Reason,
		Fulfilment: domain.Fulfilment(row.Fulfilment), CreatedAt: row.CreatedAt, ConfirmedAt: row.ConfirmedAt, SettledAt: row.SettledAt, PaidAt: row.PaidAt,
		Bill: domain.Bill{Attempt: row.Bill.Attempt, Method: row.Bill.Method, Status: domain.BillStatus(row.Bill.Status), Reason: row.Bill.Reason},
	}
	if row.Status == statusBefore {
		order.Status = domain.Confirmed
	}
	if order.ConfirmedAt.IsZero() && order.Status != domain.Drafted { // a program of before confirmed as it created
		order.ConfirmedAt = order.CreatedAt
	}
	for _, item := range items {
		unit, err := item.Unit.money()
		if err != nil {
			return domain.Snapshot{}, fmt.Errorf("item %d of order %s: %w", item.Position, row.ID, err)
		}
		order.Items = append(order.Items, domain.Item{ProductID: item.ProductID, Name: item.Name, Quantity: domain.Quantity(item.Quantity), UnitPrice: unit})
	}
	if row.Total.Currency != "" { // that of a draft without items
		var err error
		if order.Total, err = row.Total.money(); err != nil {
			return domain.Snapshot{}, fmt.Errorf("order %s: %w", row.ID, err)
		}
	}
	if row.PaymentMethod != "" {
		order.Payment = domain.Payment{Method: row.PaymentMethod, Amount: order.Total}
	}
	order.Shipping = domain.Shipping{Address: row.ShippingAddress, ToCustomer: row.ShippingAddress == "" && order.Status != domain.Drafted}
	return order, nil
}

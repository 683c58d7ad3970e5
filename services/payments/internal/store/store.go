// Package store keeps payments, payment methods and transactions in the service's database.
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
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// ErrNotFound is what is given for an id that is not known.
var ErrNotFound = errors.New("not found")

// Store keeps payments. Every method that changes something joins the transaction that its context carries, if any.
type Store struct {
	db     *database.DB
	outbox *outbox.Outbox
}

// New makes a store in db, whose events leave through the outbox.
func New(db *database.DB, outbox *outbox.Outbox) *Store {
	return &Store{db: db, outbox: outbox}
}

// InTx runs fn in a transaction that the store's methods join when they get fn's context.
func (s *Store) InTx(ctx context.Context, fn func(context.Context) error) error {
	return s.db.InTx(ctx, func(ctx context.Context, _ bun.Tx) error { return fn(ctx) })
}

// Begin keeps a payment and its events, unless its order has one: then it gives that one and false. The gateway is the
// caller's to ask until due, when there is a due, and then anybody's.
func (s *Store) Begin(ctx context.Context, p domain.Payment, due time.Time, events ...event.Event) (kept domain.Payment, first bool, err error) {
	row := rowOf(p)
	row.Origin = telemetry.OriginOf(ctx)
	if p.Open() {
		row.DueAt = &due
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		kept, first = p, false
		n, err := affected(tx.NewInsert().Model(&row).On("CONFLICT (order_id) DO NOTHING").Exec(ctx))
		if err != nil {
			return fmt.Errorf("insert payment: %w", err)
		}
		if first = n == 1; first {
			return s.outbox.Append(ctx, tx, events...)
		}
		found, err := s.lock(ctx, tx, p.Order.ID)
		if err != nil {
			return err
		}
		kept, err = found.payment()
		return err
	})
	return kept, first, err
}

// Change is what Update is asked to do to a payment; the events are kept with it.
type Change func(*domain.Payment) ([]event.Event, error)

// Update changes the payment of an order and keeps the events of the change, in one transaction. While the payment is open, the
// gateway is the caller's to ask until due, and then anybody's; a zero due leaves that as it is. An error of fn changes nothing.
func (s *Store) Update(ctx context.Context, orderID string, due time.Time, fn Change) (updated domain.Payment, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		row, err := s.lock(ctx, tx, orderID)
		if err != nil {
			return err
		}
		p, err := row.payment()
		if err != nil {
			return err
		}
		before := p
		events, err := fn(&p)
		if updated = p; err != nil || p == before {
			return err
		}
		changed := rowOf(p)
		changed.Origin = row.Origin
		if changed.Asked = row.Asked; p.Status != before.Status { // under a new reference the same is asked, after a longer pause
			changed.Asked = 0 // something else is asked from now on
		}
		if changed.DueAt = row.DueAt; !p.Open() {
			changed.DueAt = nil
		} else if !due.IsZero() {
			changed.DueAt = &due
		}
		if _, err := tx.NewUpdate().Model(&changed).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("update payment: %w", err)
		}
		return s.outbox.Append(ctx, tx, events...)
	})
	return updated, err
}

// Drop forgets a payment that was promised, and no other.
func (s *Store) Drop(ctx context.Context, orderID string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*paymentRow)(nil)).Where("order_id = ?", orderID).Where("status = ?", string(domain.Promised)).Exec(ctx)
		if err != nil {
			return fmt.Errorf("delete promised payment: %w", err)
		}
		return nil
	})
}

// Get gives the payment of an order, tombstones included, or ErrNotFound.
func (s *Store) Get(ctx context.Context, orderID string) (domain.Payment, error) {
	row, err := one[paymentRow](ctx, s.db.NewSelect(), "order_id", orderID)
	if err != nil {
		return domain.Payment{}, err
	}
	return row.payment()
}

// List gives at most limit payments of a customer, the latest first.
func (s *Store) List(ctx context.Context, customerID string, limit int) ([]domain.Payment, error) {
	var rows []paymentRow
	err := s.db.NewSelect().Model(&rows).Where("customer_id = ?", customerID).Where("id <> ''").Order("id DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select payments: %w", err)
	}
	payments := make([]domain.Payment, len(rows))
	for i, row := range rows {
		if payments[i], err = row.payment(); err != nil {
			return nil, err
		}
	}
	return payments, nil
}

// lock gives the row of an order and keeps others from changing it until the transaction ends.
func (s *Store) lock(ctx context.Context, tx bun.Tx, orderID string) (paymentRow, error) {
	return one[paymentRow](ctx, s.db.ForUpdate(tx.NewSelect()), "order_id", orderID)
}

func one[Row any](ctx context.Context, query *bun.SelectQuery, column, value string) (row Row, err error) {
	err = query.Model(&row).Where("? = ?", bun.Ident(column), value).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return row, ErrNotFound
	case err != nil:
		return row, fmt.Errorf("select by %s: %w", column, err)
	}
	return row, nil
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

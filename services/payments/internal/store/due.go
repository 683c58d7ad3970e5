package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// Due gives the orders, at most limit and the longest due first, about whose payments the gateway is to be asked.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (orders []string, err error) {
	err = s.db.NewSelect().Model((*paymentRow)(nil)).Column("order_id").Where("due_at <= ?", now).
		Order("due_at").Limit(int64(limit)).Scan(ctx, &orders)
	if err != nil {
		return nil, fmt.Errorf("select due payments: %w", err)
	}
	return orders, nil
}

// Claim makes a due payment the caller's to ask the gateway about until the given time. asked counts the claims, this one
// included, since the payment's status changed; 0 is for one that is not due, or somebody else's by now. The origin is the request that wants the
// payment.
func (s *Store) Claim(ctx context.Context, orderID string, now, until time.Time) (p domain.Payment, origin telemetry.Origin, asked int, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// The condition is checked again on the row itself, so that of several who saw it due one gets it.
		n, err := affected(tx.NewUpdate().Model((*paymentRow)(nil)).Set("due_at = ?", until).Set("asked = asked + 1").
			Where("order_id = ?", orderID).Where("due_at <= ?", now).Exec(ctx))
		if err != nil {
			return fmt.Errorf("claim payment: %w", err)
		}
		if asked = 0; n == 0 {
			return nil
		}
		row, err := one[paymentRow](ctx, tx.NewSelect(), "order_id", orderID)
		if err != nil {
			return err
		}
		asked, origin = row.Asked, row.Origin
		p, err = row.payment()
		return err
	})
	return p, origin, asked, err
}

// Postpone makes an open payment anybody's again at a time, or keeps it as it is when it is due later than that or settled.
func (s *Store) Postpone(ctx context.Context, p domain.Payment, until time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*paymentRow)(nil)).Set("due_at = ?", until).
			Where("order_id = ?", p.Order.ID).Where("status = ?", string(p.Status)).Where("reference = ?", p.Reference).
			Where("due_at IS NOT NULL").Exec(ctx)
		if err != nil {
			return fmt.Errorf("postpone payment: %w", err)
		}
		return nil
	})
}

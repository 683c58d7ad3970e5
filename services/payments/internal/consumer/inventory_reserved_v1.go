package consumer

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// InventoryReservedV1 keeps that the order is to be charged; the outcome is told by payment.processed.v1 or payment.failed.v1.
func (c *Consumer) InventoryReservedV1(ctx context.Context, e event.Event) error {
	reserved, err := event.Decode[api.InventoryReservedV1](e)
	if err != nil {
		return err
	}
	total, err := money.New(reserved.Total.Amount, reserved.Total.Currency)
	if err != nil {
		return event.Permanent(err)
	}
	if reserved.OrderID == "" {
		return event.Permanent(errNoOrder)
	}
	return c.inbox.Once(ctx, e, func(ctx context.Context, _ bun.Tx) error {
		return c.payments.Reserved(ctx, domain.Order{
			ID: reserved.OrderID, CustomerID: reserved.CustomerID, Method: reserved.PaymentMethod, Amount: total,
		})
	})
}

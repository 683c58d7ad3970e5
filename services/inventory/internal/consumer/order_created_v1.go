package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

const (
	choreography = "choreography" // the way of an order that nobody conducts
	invoice      = "invoice"      // the way to pay of an order that names none

	insufficient = "stock_insufficient"   // why nothing was reserved, as the operation reserveStock has it
	released     = "reservation_released" // the order was given up before it came here
)

// OrderCreatedV1 reserves what the order needs, and tells whether it could. An order that another service conducts is reserved
// when that one asks.
func (c *Consumer) OrderCreatedV1(ctx context.Context, e event.Event) error {
	order, err := event.Decode[api.OrderCreatedV1](e)
	if err != nil {
		return err
	}
	if order.Fulfilment != nil && *order.Fulfilment != choreography {
		return nil
	}
	lines, err := linesOf(order)
	if err != nil {
		return event.Permanent(fmt.Errorf("%s %s: %w", e.Type(), e.ID(), err))
	}
	return c.Inbox.Once(ctx, e, func(ctx context.Context, tx bun.Tx) error {
		_, changed, err := c.Store.Handle(ctx, order.ID, domain.Reserve, lines...)
		switch {
		case errors.Is(err, domain.ErrInsufficient):
			return c.refuse(ctx, tx, order.ID, insufficient)
		case errors.Is(err, domain.ErrReleased):
			return c.refuse(ctx, tx, order.ID, released)
		case errors.Is(err, domain.ErrDiffers):
			return event.Permanent(err)
		case err != nil || !changed: // what is reserved already was told when it was
			return err
		}
		reserved, err := inventoryReserved(order, lines, c.now().UTC())
		if err != nil {
			return err
		}
		return c.Outbox.Append(ctx, tx, reserved)
	})
}

// refuse tells that nothing is reserved for the order, and makes sure that nothing will be.
func (c *Consumer) refuse(ctx context.Context, tx bun.Tx, orderID, reason string) error {
	if _, _, err := c.Store.Handle(ctx, orderID, domain.Cancel); err != nil {
		return err
	}
	failed, err := event.New(api.InventoryReservationFailedV1Type, orderID, api.InventoryReservationFailedV1{
		OrderID: orderID, Reason: reason, FailedAt: c.now().UTC(),
	})
	if err != nil {
		return err
	}
	return c.Outbox.Append(ctx, tx, failed)
}

// linesOf are what the order needs of the stock.
func linesOf(order api.OrderCreatedV1) ([]domain.Line, error) {
	if order.ID == "" {
		return nil, errNoOrder
	}
	lines := make([]domain.Line, len(order.Items))
	for i, item := range order.Items {
		lines[i] = domain.Line{ProductID: item.ProductID, Quantity: int(item.Quantity)}
	}
	return domain.NewLines(lines...)
}

// inventoryReserved is the event that payments acts on, so it carries on what the order told of the customer and the money.
func inventoryReserved(order api.OrderCreatedV1, lines []domain.Line, at time.Time) (event.Event, error) {
	payload := api.InventoryReservedV1{
		OrderID: order.ID, CustomerID: order.CustomerID, Total: api.InventoryReservedV1Total(order.Total),
		PaymentMethod: invoice, ReservedAt: at,
	}
	if order.PaymentMethod != nil && *order.PaymentMethod != "" {
		payload.PaymentMethod = *order.PaymentMethod
	}
	for _, line := range lines {
		payload.Items = append(payload.Items, api.InventoryReservedV1ItemsItem{ProductID: line.ProductID, Quantity: int64(line.Quantity)})
	}
	return event.New(api.InventoryReservedV1Type, order.ID, payload)
}

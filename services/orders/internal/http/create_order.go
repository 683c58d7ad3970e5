package http

import (
	"context"
	"errors"
	"time"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// CreateOrder takes an order at the prices that catalog has now, keeps it and announces it.
func (h *Handler) CreateOrder(ctx context.Context, request api.CreateOrderRequestObject) (api.CreateOrderResponseObject, error) {
	customer, err := h.customer(ctx, request.Body.CustomerID)
	if err != nil {
		return nil, err
	}
	items, err := h.items(ctx, request.Body.Items)
	if err != nil {
		return nil, err
	}
	at := h.now().UTC().Truncate(time.Microsecond) // what a database keeps
	order, err := domain.NewOrder(h.newID(), customer, items, at)
	switch {
	case errors.Is(err, money.ErrCurrency):
		return nil, problem.Invalid("currencies_mixed", "All products of an order must have prices in one currency.")
	case err != nil:
		return nil, err
	}
	created, err := orderCreated(order)
	if err != nil {
		return nil, err
	}
	if err := h.Store.Create(ctx, order, created); err != nil {
		return nil, err
	}
	answer, err := present(order)
	return api.CreateOrder201JSONResponse(answer), err
}

// orderCreated is the event that tells of an order.
func orderCreated(order domain.Order) (event.Event, error) {
	payload := api.OrderCreatedV1{
		ID: order.ID, CustomerID: order.Customer.ID, CreatedAt: order.CreatedAt,
		Total: api.OrderCreatedV1Total(presentMoney(order.Total)),
	}
	for _, item := range order.Items {
		payload.Items = append(payload.Items, api.OrderCreatedV1ItemsItem{
			ProductID: item.ProductID, Quantity: int64(item.Quantity), UnitPrice: api.OrderCreatedV1ItemsItemUnitPrice(presentMoney(item.UnitPrice)),
		})
	}
	return event.New(api.OrderCreatedV1Type, order.ID, payload)
}

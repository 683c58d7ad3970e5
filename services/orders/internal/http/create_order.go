package http

import (
	"context"
	"errors"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// CreateOrder takes an order at the prices that catalog has now.
func (h *Handler) CreateOrder(ctx context.Context, request api.CreateOrderRequestObject) (api.CreateOrderResponseObject, error) {
	customer, err := h.customer(ctx, request.Body.CustomerID)
	if err != nil {
		return nil, err
	}
	items, err := h.items(ctx, request.Body.Items)
	if err != nil {
		return nil, err
	}
	at := h.now().UTC().Truncate(time.Microsecond)  // what a database keeps
	terms := domain.Terms{PaymentMethod: "invoice"} // as the contract says
	if method := request.Body.PaymentMethod; method != nil {
		terms.PaymentMethod = *method
	}
	if address := request.Body.ShippingAddress; address != nil {
		terms.ShippingAddress = *address
	}
	order, err := domain.NewOrder(h.newID(), customer, items, terms, at)
	switch {
	case errors.Is(err, money.ErrCurrency):
		return nil, problem.Invalid("currencies_mixed", "All products of an order must have prices in one currency.")
	case err != nil:
		return nil, err
	}
	placed, err := h.Orders.Place(ctx, order)
	if err != nil {
		return nil, err
	}
	answer, err := present(placed)
	return api.CreateOrder201JSONResponse(answer), err
}

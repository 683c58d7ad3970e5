package http

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// CreateOrder takes an order at the prices that catalog has now. With an Idempotency-Key it may be repeated: the order, the used key and
// the answer are kept together.
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
	var answer api.CreateOrder201JSONResponse
	err = h.Orders.Place(ctx, order, func(ctx context.Context, tx bun.Tx, placed domain.Order) error {
		shown, err := present(placed)
		if err != nil {
			return err
		}
		answer = api.CreateOrder201JSONResponse(shown)
		return idempotency.Complete(ctx, tx, answer.VisitCreateOrderResponse)
	})
	return answer, err
}

package http

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// CreateOrder takes an order at the prices that catalog has now, or begins a draft. With an Idempotency-Key it may be repeated: the
// order, the used key and the answer are kept together.
func (h *Handler) CreateOrder(ctx context.Context, request api.CreateOrderRequestObject) (api.CreateOrderResponseObject, error) {
	if err := auth.Own(ctx, request.Body.CustomerID); err != nil {
		return nil, err
	}
	customer, err := h.customer(ctx, request.Body.CustomerID)
	if err != nil {
		return nil, err
	}
	items, err := h.items(ctx, request.Body.Items)
	if err != nil {
		return nil, err
	}
	wish := app.Wish{ID: h.newID(), Customer: customer, Items: items, Draft: request.Body.Draft != nil && *request.Body.Draft}
	if !wish.Draft { // as the contract says
		wish.Method, wish.Shipping = domain.Invoice, domain.ShipToCustomer()
	}
	if method := request.Body.PaymentMethod; method != nil {
		wish.Method = *method
	}
	if address := request.Body.ShippingAddress; address != nil {
		if wish.Shipping, err = domain.ShipTo(*address); err != nil {
			return nil, refusal(err)
		}
	}
	var answer api.CreateOrder201JSONResponse
	err = h.Orders.Create(ctx, wish, func(ctx context.Context, tx bun.Tx, kept domain.Snapshot) error {
		shown, err := present(kept)
		if err != nil {
			return err
		}
		answer = api.CreateOrder201JSONResponse(shown)
		return idempotency.Complete(ctx, tx, answer.VisitCreateOrderResponse)
	})
	return answer, refusal(err)
}

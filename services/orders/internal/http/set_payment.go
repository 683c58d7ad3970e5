package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// SetPayment says how a draft is paid.
func (h *Handler) SetPayment(ctx context.Context, request api.SetPaymentRequestObject) (api.SetPaymentResponseObject, error) {
	amount, err := money.New(request.Body.Amount.Amount, request.Body.Amount.Currency)
	if err != nil {
		return nil, problem.Invalid("amount_invalid", "The amount is none.", problem.FieldError{In: "body", Pointer: "/amount", Detail: err.Error()})
	}
	payment := domain.Payment{Method: request.Body.Method, Amount: amount}
	order, err := h.change(ctx, request.ID, func(order *domain.Order) error { return order.SetPayment(payment) })
	return api.SetPayment200JSONResponse(order), err
}

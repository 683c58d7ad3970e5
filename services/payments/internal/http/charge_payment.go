package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/payments/api"
)

// ChargePayment charges a customer for an order, once. While the gateway does not tell what became of it, it is pending.
func (h *Handler) ChargePayment(ctx context.Context, request api.ChargePaymentRequestObject) (api.ChargePaymentResponseObject, error) {
	order, err := ordered(request.OrderID, request.Body.CustomerID, request.Body.Method, request.Body.Amount)
	if err != nil {
		return nil, err
	}
	payment, err := h.payments.Charge(ctx, order)
	if err != nil {
		return nil, refusal(err)
	}
	return api.ChargePayment200JSONResponse(present(payment)), nil
}

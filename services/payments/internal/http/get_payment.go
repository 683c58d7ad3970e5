package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/payments/api"
)

// GetPayment gives the payment of an order. While the gateway is away, it gives what was known last and says so.
func (h *Handler) GetPayment(ctx context.Context, request api.GetPaymentRequestObject) (api.GetPaymentResponseObject, error) {
	payment, err := h.payments.Get(ctx, request.OrderID)
	if err != nil {
		return nil, refusal(err)
	}
	return api.GetPayment200JSONResponse(present(payment)), nil
}

package http

import (
	"context"
	"errors"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
)

// GetPayment gives the payment of an order. While the gateway is away, it gives what was known last and says so.
func (h *Handler) GetPayment(ctx context.Context, request api.GetPaymentRequestObject) (api.GetPaymentResponseObject, error) {
	payment, err := h.payments.Get(ctx, request.OrderID)
	if err != nil {
		return nil, refusal(err)
	}
	if err := auth.Own(ctx, payment.CustomerID); err != nil {
		return nil, refusal(errors.Join(store.ErrNotFound, err))
	}
	return api.GetPayment200JSONResponse(present(payment)), nil
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// RefundPayment gives back what an order was charged, and keeps a charge out that is still to come.
func (h *Handler) RefundPayment(ctx context.Context, request api.RefundPaymentRequestObject) (api.RefundPaymentResponseObject, error) {
	payment, err := h.payments.Refund(ctx, request.OrderID)
	if err != nil {
		return nil, refusal(err)
	}
	told := api.RefundPayment200JSONResponse{OrderID: request.OrderID, Status: "nothing"}
	switch {
	case payment.Status == domain.Refunding:
		told.Status = "pending"
	case payment.GivenBack():
		told.Status = "refunded"
	}
	return told, nil
}

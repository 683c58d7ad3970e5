package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

// RefundPayment is to be written: PUT /v1/payments/{orderId}/refund.
func (h *Handler) RefundPayment(_ context.Context, _ api.RefundPaymentRequestObject) (api.RefundPaymentResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation refundPayment is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

// GetPayment is to be written: GET /v1/payments/{orderId}.
func (h *Handler) GetPayment(_ context.Context, _ api.GetPaymentRequestObject) (api.GetPaymentResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getPayment is not written yet.")
}

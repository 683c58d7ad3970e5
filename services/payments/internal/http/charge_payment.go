package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

// ChargePayment is to be written: PUT /v1/payments/{orderId}.
func (h *Handler) ChargePayment(_ context.Context, _ api.ChargePaymentRequestObject) (api.ChargePaymentResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation chargePayment is not written yet.")
}

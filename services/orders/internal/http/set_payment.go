package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

// SetPayment is to be written: PUT /v1/orders/{id}/payment.
func (h *Handler) SetPayment(_ context.Context, _ api.SetPaymentRequestObject) (api.SetPaymentResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation setPayment is not written yet.")
}

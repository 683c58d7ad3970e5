package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

// CreatePaymentMethod is to be written: POST /v1/payment-methods.
func (h *Handler) CreatePaymentMethod(_ context.Context, _ api.CreatePaymentMethodRequestObject) (api.CreatePaymentMethodResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation createPaymentMethod is not written yet.")
}

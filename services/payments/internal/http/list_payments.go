package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

// ListPayments is to be written: GET /v1/payments.
func (h *Handler) ListPayments(_ context.Context, _ api.ListPaymentsRequestObject) (api.ListPaymentsResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation listPayments is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

// ConfirmOrder is to be written: POST /v1/orders/{id}/confirm.
func (h *Handler) ConfirmOrder(_ context.Context, _ api.ConfirmOrderRequestObject) (api.ConfirmOrderResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation confirmOrder is not written yet.")
}

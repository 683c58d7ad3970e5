package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetOrder is to be written: GET /api/orders/{id}.
func (h *Handler) GetOrder(_ context.Context, _ api.GetOrderRequestObject) (api.GetOrderResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getOrder is not written yet.")
}

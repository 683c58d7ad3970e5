package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
)

// GetOrderDetails is to be written: GET /v1/orders/{id}.
func (h *Handler) GetOrderDetails(_ context.Context, _ api.GetOrderDetailsRequestObject) (api.GetOrderDetailsResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getOrderDetails is not written yet.")
}

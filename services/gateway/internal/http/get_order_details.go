package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetOrderDetails is to be written: GET /api/orders/{id}/details.
func (h *Handler) GetOrderDetails(_ context.Context, _ api.GetOrderDetailsRequestObject) (api.GetOrderDetailsResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getOrderDetails is not written yet.")
}

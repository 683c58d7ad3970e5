package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
)

// GetUserOrders is to be written: GET /v1/users/{id}/orders.
func (h *Handler) GetUserOrders(_ context.Context, _ api.GetUserOrdersRequestObject) (api.GetUserOrdersResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getUserOrders is not written yet.")
}

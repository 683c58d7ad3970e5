package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// ListOrders is to be written: GET /api/orders.
func (h *Handler) ListOrders(_ context.Context, _ api.ListOrdersRequestObject) (api.ListOrdersResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation listOrders is not written yet.")
}

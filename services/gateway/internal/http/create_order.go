package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// CreateOrder is to be written: POST /api/orders.
func (h *Handler) CreateOrder(_ context.Context, _ api.CreateOrderRequestObject) (api.CreateOrderResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation createOrder is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetOrder passes the request on to orders.
func (h *Handler) GetOrder(ctx context.Context, _ api.GetOrderRequestObject) (api.GetOrderResponseObject, error) {
	return h.pass(ctx)
}

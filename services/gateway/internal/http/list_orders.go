package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// ListOrders passes the request on to orders.
func (h *Handler) ListOrders(ctx context.Context, _ api.ListOrdersRequestObject) (api.ListOrdersResponseObject, error) {
	return h.pass(ctx)
}

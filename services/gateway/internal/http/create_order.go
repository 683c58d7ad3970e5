package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// CreateOrder passes the request on to orders, which makes one order of an Idempotency-Key.
func (h *Handler) CreateOrder(ctx context.Context, _ api.CreateOrderRequestObject) (api.CreateOrderResponseObject, error) {
	return h.pass(ctx)
}

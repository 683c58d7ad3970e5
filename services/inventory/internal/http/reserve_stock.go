package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/inventory/api"
)

// ReserveStock is to be written: PUT /v1/reservations/{orderId}.
func (h *Handler) ReserveStock(_ context.Context, _ api.ReserveStockRequestObject) (api.ReserveStockResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation reserveStock is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/inventory/api"
)

// ReleaseStock is to be written: DELETE /v1/reservations/{orderId}.
func (h *Handler) ReleaseStock(_ context.Context, _ api.ReleaseStockRequestObject) (api.ReleaseStockResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation releaseStock is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/inventory/api"
)

// SetStock is to be written: PUT /v1/stock/{productId}.
func (h *Handler) SetStock(_ context.Context, _ api.SetStockRequestObject) (api.SetStockResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation setStock is not written yet.")
}

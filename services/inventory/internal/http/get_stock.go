package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/inventory/api"
)

// GetStock is to be written: GET /v1/stock/{productId}.
func (h *Handler) GetStock(_ context.Context, _ api.GetStockRequestObject) (api.GetStockResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getStock is not written yet.")
}

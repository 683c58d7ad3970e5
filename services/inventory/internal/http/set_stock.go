package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/inventory/api"
)

// SetStock keeps what a count of the shelf gave.
func (h *Handler) SetStock(ctx context.Context, request api.SetStockRequestObject) (api.SetStockResponseObject, error) {
	stock, err := h.Store.SetStock(ctx, request.ProductID, request.Body.OnHand)
	if err != nil {
		return nil, refusal(err)
	}
	return api.SetStock200JSONResponse(presentStock(stock)), nil
}

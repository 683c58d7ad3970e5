package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// GetProduct gives the product of an id.
func (h *Handler) GetProduct(ctx context.Context, request api.GetProductRequestObject) (api.GetProductResponseObject, error) {
	product, err := h.Store.Get(ctx, request.ID)
	if err != nil {
		return nil, refusal(err)
	}
	return api.GetProduct200JSONResponse(present(product)), nil
}

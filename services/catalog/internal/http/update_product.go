package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// UpdateProduct replaces a product that nobody changed since the client read it.
func (h *Handler) UpdateProduct(ctx context.Context, request api.UpdateProductRequestObject) (api.UpdateProductResponseObject, error) {
	product, err := h.product(request.ID, request.Params.Version, request.Body)
	if err != nil {
		return nil, err
	}
	product, err = h.Store.Update(ctx, product)
	if err != nil {
		return nil, refusal(err)
	}
	return api.UpdateProduct200JSONResponse(present(product)), nil
}

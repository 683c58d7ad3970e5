package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// CreateProduct keeps a new product.
func (h *Handler) CreateProduct(ctx context.Context, request api.CreateProductRequestObject) (api.CreateProductResponseObject, error) {
	product, err := h.product(h.newID(), 1, request.Body)
	if err != nil {
		return nil, err
	}
	if err := h.Store.Create(ctx, product); err != nil {
		return nil, refusal(err)
	}
	return api.CreateProduct201JSONResponse(present(product)), nil
}

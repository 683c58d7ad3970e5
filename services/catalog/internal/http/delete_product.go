package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// DeleteProduct removes a product, if it is there.
func (h *Handler) DeleteProduct(ctx context.Context, request api.DeleteProductRequestObject) (api.DeleteProductResponseObject, error) {
	if err := h.Store.Delete(ctx, request.ID); err != nil {
		return nil, err
	}
	return api.DeleteProduct204Response{}, nil
}

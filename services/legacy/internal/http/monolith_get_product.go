package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithGetProduct gives the product of an id.
func (h *Handler) MonolithGetProduct(ctx context.Context, request api.MonolithGetProductRequestObject) (api.MonolithGetProductResponseObject, error) {
	product, err := h.Monolith.Product(ctx, request.ID)
	if err != nil {
		return nil, absent(err, "product_not_found", "There is no such product.")
	}
	return api.MonolithGetProduct200JSONResponse(oldProduct(product)), nil
}

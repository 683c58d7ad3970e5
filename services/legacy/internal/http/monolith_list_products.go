package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithListProducts gives a page of products.
func (h *Handler) MonolithListProducts(ctx context.Context, request api.MonolithListProductsRequestObject) (api.MonolithListProductsResponseObject, error) {
	page, size := pageOf(request.Params.Page, request.Params.PerPage)
	products, total, err := h.Monolith.Products(ctx, page, size)
	if err != nil {
		return nil, err
	}
	shown := api.MonolithListProducts200JSONResponse{Page: page, Total: total, Products: []api.OldProduct{}}
	for _, p := range products {
		shown.Products = append(shown.Products, oldProduct(p))
	}
	return shown, nil
}

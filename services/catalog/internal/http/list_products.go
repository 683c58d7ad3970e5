package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// defaultLimit is the size of a page when the request names none.
const defaultLimit = 50

// ListProducts gives a page of products, the oldest first.
func (h *Handler) ListProducts(ctx context.Context, request api.ListProductsRequestObject) (api.ListProductsResponseObject, error) {
	after, limit := "", defaultLimit
	if request.Params.After != nil {
		after = *request.Params.After
	}
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	// One more than asked for shows whether there is a next page.
	products, err := h.Store.List(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	page := api.ListProducts200JSONResponse{Items: []api.Product{}}
	for i, product := range products {
		if i == limit {
			page.Next = &products[i-1].ID
			break
		}
		page.Items = append(page.Items, present(product))
	}
	return page, nil
}

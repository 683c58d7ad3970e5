package http

import (
	"context"
	"slices"

	"github.com/trellis-mesh/trellis/chassis/apiversion"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// defaultLimit is the size of a page when the request names none.
const defaultLimit = 50

// ListProducts gives a page of products, the oldest first, or those of some ids.
func (h *Handler) ListProducts(ctx context.Context, request api.ListProductsRequestObject) (api.ListProductsResponseObject, error) {
	return h.list(ctx, request.Params.After, request.Params.Limit, request.Params.Ids)
}

// list gives products in the version that the request is for.
func (h *Handler) list(ctx context.Context, after *string, limit *int, ids *[]string) (page, error) {
	if ids != nil {
		if after != nil {
			return page{}, problem.BadRequest("ids_have_no_pages", "A request for some ids gets all of them at once. Leave out after.")
		}
		products, err := h.Store.Some(ctx, unique(*ids))
		return page{version: apiversion.Of(ctx), products: products}, err
	}
	from, most := "", defaultLimit
	if after != nil {
		from = *after
	}
	if limit != nil {
		most = *limit
	}
	// One more than asked for shows whether there is a next page.
	products, err := h.Store.List(ctx, from, most+1)
	if err != nil {
		return page{}, err
	}
	p := page{version: apiversion.Of(ctx), products: products}
	if len(products) > most {
		p.products, p.next = products[:most], &products[most-1].ID
	}
	return p, nil
}

// unique leaves each id where it is first.
func unique(ids []string) []string {
	var all []string
	for _, id := range ids {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

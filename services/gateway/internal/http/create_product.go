package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// CreateProduct passes the request on to the catalog, whoever answers for products: the monolith takes nothing new.
func (h *Handler) CreateProduct(ctx context.Context, _ api.CreateProductRequestObject) (api.CreateProductResponseObject, error) {
	return h.pass(ctx)
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// ListProducts is to be written: GET /api/products.
func (h *Handler) ListProducts(_ context.Context, _ api.ListProductsRequestObject) (api.ListProductsResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation listProducts is not written yet.")
}

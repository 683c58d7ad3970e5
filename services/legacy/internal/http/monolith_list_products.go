package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithListProducts is to be written: GET /monolith/products.
func (h *Handler) MonolithListProducts(_ context.Context, _ api.MonolithListProductsRequestObject) (api.MonolithListProductsResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation monolithListProducts is not written yet.")
}

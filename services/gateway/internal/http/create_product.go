package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// CreateProduct is to be written: POST /api/products.
func (h *Handler) CreateProduct(_ context.Context, _ api.CreateProductRequestObject) (api.CreateProductResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation createProduct is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetProduct is to be written: GET /api/products/{id}.
func (h *Handler) GetProduct(_ context.Context, _ api.GetProductRequestObject) (api.GetProductResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getProduct is not written yet.")
}

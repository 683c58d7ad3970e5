package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithGetProduct is to be written: GET /monolith/products/{id}.
func (h *Handler) MonolithGetProduct(_ context.Context, _ api.MonolithGetProductRequestObject) (api.MonolithGetProductResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation monolithGetProduct is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithPutProduct is to be written: PUT /monolith/products/{id}.
func (h *Handler) MonolithPutProduct(_ context.Context, _ api.MonolithPutProductRequestObject) (api.MonolithPutProductResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation monolithPutProduct is not written yet.")
}

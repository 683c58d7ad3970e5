package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithGetSupplier is to be written: GET /monolith/suppliers/{id}.
func (h *Handler) MonolithGetSupplier(_ context.Context, _ api.MonolithGetSupplierRequestObject) (api.MonolithGetSupplierResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation monolithGetSupplier is not written yet.")
}

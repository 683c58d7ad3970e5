package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetSupplier is to be written: GET /api/suppliers/{id}.
func (h *Handler) GetSupplier(_ context.Context, _ api.GetSupplierRequestObject) (api.GetSupplierResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getSupplier is not written yet.")
}

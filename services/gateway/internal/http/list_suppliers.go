package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// ListSuppliers is to be written: GET /api/suppliers.
func (h *Handler) ListSuppliers(_ context.Context, _ api.ListSuppliersRequestObject) (api.ListSuppliersResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation listSuppliers is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithListSuppliers is to be written: GET /monolith/suppliers.
func (h *Handler) MonolithListSuppliers(_ context.Context, _ api.MonolithListSuppliersRequestObject) (api.MonolithListSuppliersResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation monolithListSuppliers is not written yet.")
}

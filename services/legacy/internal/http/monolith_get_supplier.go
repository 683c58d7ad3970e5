package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithGetSupplier gives the supplier of an id.
func (h *Handler) MonolithGetSupplier(ctx context.Context, request api.MonolithGetSupplierRequestObject) (api.MonolithGetSupplierResponseObject, error) {
	s, err := h.Monolith.Supplier(ctx, request.ID)
	if err != nil {
		return nil, absent(err, "supplier_not_found", "There is no such supplier.")
	}
	return api.MonolithGetSupplier200JSONResponse(supplier(s)), nil
}

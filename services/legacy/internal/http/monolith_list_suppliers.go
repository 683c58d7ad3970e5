package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// MonolithListSuppliers gives a page of suppliers.
func (h *Handler) MonolithListSuppliers(ctx context.Context, request api.MonolithListSuppliersRequestObject) (api.MonolithListSuppliersResponseObject, error) {
	page, size := pageOf(request.Params.Page, request.Params.PerPage)
	suppliers, total, err := h.Monolith.Suppliers(ctx, page, size)
	if err != nil {
		return nil, err
	}
	shown := api.MonolithListSuppliers200JSONResponse{Page: page, Total: total, Suppliers: []api.Supplier{}}
	for _, s := range suppliers {
		shown.Suppliers = append(shown.Suppliers, supplier(s))
	}
	return shown, nil
}

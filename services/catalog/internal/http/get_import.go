package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// GetImport tells how far an import is.
func (h *Handler) GetImport(ctx context.Context, request api.GetImportRequestObject) (api.GetImportResponseObject, error) {
	found, err := h.Imports.Get(ctx, request.ID)
	if err != nil {
		return nil, refusal(err)
	}
	return api.GetImport200JSONResponse(presentImport(found)), nil
}

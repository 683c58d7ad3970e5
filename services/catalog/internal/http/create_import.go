package http

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// CreateImport begins an import, once for each Idempotency-Key.
func (h *Handler) CreateImport(ctx context.Context, _ api.CreateImportRequestObject) (api.CreateImportResponseObject, error) {
	created, err := h.Imports.Create(ctx, func(ctx context.Context, tx bun.Tx, created store.Import) error {
		return idempotency.Complete(ctx, tx, api.CreateImport201JSONResponse(presentImport(created)).VisitCreateImportResponse)
	})
	if err != nil {
		return nil, err
	}
	return api.CreateImport201JSONResponse(presentImport(created)), nil
}

// presentImport shows an import as the contract has it.
func presentImport(i store.Import) api.Import {
	return api.Import{
		ID: i.ID, Status: api.ImportStatus(i.Status), Offset: i.Offset, Lines: i.Line - 1, Imported: i.Imported, Failed: i.Failed,
		CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt,
	}
}

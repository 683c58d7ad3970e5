package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// ReleaseStock releases what is reserved for an order, or will be.
func (h *Handler) ReleaseStock(ctx context.Context, request api.ReleaseStockRequestObject) (api.ReleaseStockResponseObject, error) {
	if _, _, err := h.Store.Handle(ctx, request.OrderID, domain.Release); err != nil {
		return nil, refusal(err)
	}
	return api.ReleaseStock204Response{}, nil
}

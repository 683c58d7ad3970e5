package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// ReserveStock reserves all that an order needs, or nothing.
func (h *Handler) ReserveStock(ctx context.Context, request api.ReserveStockRequestObject) (api.ReserveStockResponseObject, error) {
	lines, err := linesOf(request.Body.Items)
	if err != nil {
		return nil, err
	}
	reservation, _, err := h.Store.Handle(ctx, request.OrderID, domain.Reserve, lines...)
	if err != nil {
		return nil, refusal(err)
	}
	return api.ReserveStock200JSONResponse(present(reservation)), nil
}

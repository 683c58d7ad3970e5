package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// RemoveItem takes a product out of a draft.
func (h *Handler) RemoveItem(ctx context.Context, request api.RemoveItemRequestObject) (api.RemoveItemResponseObject, error) {
	order, err := h.change(ctx, request.ID, func(order *domain.Order) error { return order.RemoveItem(request.ProductID) })
	return api.RemoveItem200JSONResponse(order), err
}

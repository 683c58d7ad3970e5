package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/orders/api"
)

// GetOrder gives the order of an id.
func (h *Handler) GetOrder(ctx context.Context, request api.GetOrderRequestObject) (api.GetOrderResponseObject, error) {
	order, err := h.Store.Get(ctx, request.ID)
	if err != nil {
		return nil, refusal(err)
	}
	if err := owned(ctx, order); err != nil {
		return nil, err
	}
	answer, err := present(order)
	return api.GetOrder200JSONResponse(answer), err
}

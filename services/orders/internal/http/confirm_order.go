package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/orders/api"
)

// ConfirmOrder places an order that is a draft.
func (h *Handler) ConfirmOrder(ctx context.Context, request api.ConfirmOrderRequestObject) (api.ConfirmOrderResponseObject, error) {
	if err := h.own(ctx, request.ID); err != nil {
		return nil, err
	}
	order, err := h.Orders.Confirm(ctx, request.ID)
	if err != nil {
		return nil, refusal(err)
	}
	shown, err := present(order)
	return api.ConfirmOrder200JSONResponse(shown), err
}

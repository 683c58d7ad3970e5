package http

import (
	"context"
	"errors"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// GetOrder gives the order of an id.
func (h *Handler) GetOrder(ctx context.Context, request api.GetOrderRequestObject) (api.GetOrderResponseObject, error) {
	order, err := h.Store.Get(ctx, request.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.NotFound("order_not_found", "There is no such order.")
	}
	if err != nil {
		return nil, err
	}
	answer, err := present(order)
	return api.GetOrder200JSONResponse(answer), err
}

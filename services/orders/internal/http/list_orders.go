package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// ListOrders gives the orders of a customer, the latest first; drafts only when they are asked for.
func (h *Handler) ListOrders(ctx context.Context, request api.ListOrdersRequestObject) (api.ListOrdersResponseObject, error) {
	if err := auth.Own(ctx, request.Params.CustomerID); err != nil {
		return nil, err
	}
	limit := 50 // as the contract says
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	var status domain.Status
	if request.Params.Status != nil {
		status = domain.Status(*request.Params.Status)
	}
	orders, err := h.Store.List(ctx, request.Params.CustomerID, status, limit)
	if err != nil {
		return nil, err
	}
	answer := api.OrderList{Items: make([]api.Order, len(orders))}
	for i, order := range orders {
		if answer.Items[i], err = present(order); err != nil {
			return nil, err
		}
	}
	return api.ListOrders200JSONResponse(answer), nil
}

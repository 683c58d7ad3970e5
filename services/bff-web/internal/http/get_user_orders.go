package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
)

// GetUserOrders gives the orders of a user with a summary.
func (h *Handler) GetUserOrders(ctx context.Context, request api.GetUserOrdersRequestObject) (api.GetUserOrdersResponseObject, error) {
	if err := auth.Own(ctx, request.ID); err != nil {
		return nil, err
	}
	limit := 50 // as the contract says
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	found, err := h.Pages.UserOrders(ctx, request.ID, limit)
	if err != nil {
		return nil, err
	}
	return api.GetUserOrders200JSONResponse{
		Customer: presentUser(found.Customer),
		Orders:   presentOrders(found.Orders),
		Summary:  api.Summary{TotalOrders: len(found.Orders), TotalSpent: presentAmounts(found.Summary.Spent)},
		Degraded: presentMissing(found.Missing),
	}, nil
}

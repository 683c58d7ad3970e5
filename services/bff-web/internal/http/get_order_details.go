package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/bff-web/api"
)

// GetOrderDetails gives an order with its customer and its products.
func (h *Handler) GetOrderDetails(ctx context.Context, request api.GetOrderDetailsRequestObject) (api.GetOrderDetailsResponseObject, error) {
	details, err := h.Pages.OrderDetails(ctx, request.ID)
	if err != nil {
		return nil, err
	}
	return api.GetOrderDetails200JSONResponse{
		Order: presentOrder(details.Order), Customer: presentUser(details.Customer), Degraded: presentMissing(details.Missing),
	}, nil
}

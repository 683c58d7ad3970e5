package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// SetShipping says where a draft is sent.
func (h *Handler) SetShipping(ctx context.Context, request api.SetShippingRequestObject) (api.SetShippingResponseObject, error) {
	shipping, err := domain.ShipTo(request.Body.Address)
	if err != nil {
		return nil, refusal(err)
	}
	order, err := h.change(ctx, request.ID, func(order *domain.Order) error { return order.SetShipping(shipping) })
	return api.SetShipping200JSONResponse(order), err
}

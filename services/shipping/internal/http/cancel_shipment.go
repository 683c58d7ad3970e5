package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

// CancelShipment cancels the shipment of an order, or one that is yet to be arranged.
func (h *Handler) CancelShipment(ctx context.Context, request api.CancelShipmentRequestObject) (api.CancelShipmentResponseObject, error) {
	if _, _, err := h.Store.Handle(ctx, request.OrderID, domain.Withdraw, domain.Parcel{}); err != nil {
		return nil, refusal(err)
	}
	return api.CancelShipment204Response{}, nil
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

// ArrangeShipment arranges the shipment of an order. It is confirmed, and told of, when the order is completed.
func (h *Handler) ArrangeShipment(ctx context.Context, request api.ArrangeShipmentRequestObject) (api.ArrangeShipmentResponseObject, error) {
	parcel := domain.Parcel{CustomerID: request.Body.CustomerID, Lines: linesOf(request.Body.Items)}
	if request.Body.Address != nil {
		parcel.Address = *request.Body.Address
	}
	shipment, _, err := h.Store.Handle(ctx, request.OrderID, domain.Arrange, parcel)
	if err != nil {
		return nil, refusal(err)
	}
	return api.ArrangeShipment200JSONResponse(present(shipment)), nil
}

package http

import (
	"context"
	"errors"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
)

// GetShipment gives the shipment of an order.
func (h *Handler) GetShipment(ctx context.Context, request api.GetShipmentRequestObject) (api.GetShipmentResponseObject, error) {
	shipment, err := h.Store.Get(ctx, request.OrderID)
	if err == nil && auth.Own(ctx, shipment.Parcel.CustomerID) != nil {
		err = store.ErrNotFound // to others it is not there
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.NotFound("shipment_not_found", "There is no shipment of such an order.")
	}
	if err != nil {
		return nil, err
	}
	return api.GetShipment200JSONResponse(present(shipment)), nil
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/shipping/api"
)

// ArrangeShipment is to be written: PUT /v1/shipments/{orderId}.
func (h *Handler) ArrangeShipment(_ context.Context, _ api.ArrangeShipmentRequestObject) (api.ArrangeShipmentResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation arrangeShipment is not written yet.")
}

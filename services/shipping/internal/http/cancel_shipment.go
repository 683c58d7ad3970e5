package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/shipping/api"
)

// CancelShipment is to be written: DELETE /v1/shipments/{orderId}.
func (h *Handler) CancelShipment(_ context.Context, _ api.CancelShipmentRequestObject) (api.CancelShipmentResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation cancelShipment is not written yet.")
}

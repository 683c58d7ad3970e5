package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/shipping/api"
)

// GetShipment is to be written: GET /v1/shipments/{orderId}.
func (h *Handler) GetShipment(_ context.Context, _ api.GetShipmentRequestObject) (api.GetShipmentResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getShipment is not written yet.")
}

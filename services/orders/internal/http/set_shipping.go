package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

// SetShipping is to be written: PUT /v1/orders/{id}/shipping.
func (h *Handler) SetShipping(_ context.Context, _ api.SetShippingRequestObject) (api.SetShippingResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation setShipping is not written yet.")
}

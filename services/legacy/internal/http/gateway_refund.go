package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// GatewayRefund is to be written: PUT /gateway/payments/{reference}/refund.
func (h *Handler) GatewayRefund(_ context.Context, _ api.GatewayRefundRequestObject) (api.GatewayRefundResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation gatewayRefund is not written yet.")
}

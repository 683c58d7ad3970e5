package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// GatewayPay is to be written: POST /gateway/payments.
func (h *Handler) GatewayPay(_ context.Context, _ api.GatewayPayRequestObject) (api.GatewayPayResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation gatewayPay is not written yet.")
}

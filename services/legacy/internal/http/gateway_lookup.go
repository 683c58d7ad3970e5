package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// GatewayLookup is to be written: GET /gateway/payments/{reference}.
func (h *Handler) GatewayLookup(_ context.Context, _ api.GatewayLookupRequestObject) (api.GatewayLookupResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation gatewayLookup is not written yet.")
}

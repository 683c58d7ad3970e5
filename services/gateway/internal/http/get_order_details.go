package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetOrderDetails passes the request on to bff-web.
func (h *Handler) GetOrderDetails(ctx context.Context, _ api.GetOrderDetailsRequestObject) (api.GetOrderDetailsResponseObject, error) {
	return h.pass(ctx)
}

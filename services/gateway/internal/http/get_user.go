package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetUser passes the request on to users.
func (h *Handler) GetUser(ctx context.Context, _ api.GetUserRequestObject) (api.GetUserResponseObject, error) {
	return h.pass(ctx)
}

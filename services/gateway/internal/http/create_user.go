package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// CreateUser passes the request on to users.
func (h *Handler) CreateUser(ctx context.Context, _ api.CreateUserRequestObject) (api.CreateUserResponseObject, error) {
	return h.pass(ctx)
}

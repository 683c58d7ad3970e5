package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetUser is to be written: GET /api/users/{id}.
func (h *Handler) GetUser(_ context.Context, _ api.GetUserRequestObject) (api.GetUserResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getUser is not written yet.")
}

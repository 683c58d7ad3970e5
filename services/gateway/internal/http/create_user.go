package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// CreateUser is to be written: POST /api/users.
func (h *Handler) CreateUser(_ context.Context, _ api.CreateUserRequestObject) (api.CreateUserResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation createUser is not written yet.")
}

package http

import (
	"context"
	"errors"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

// GetUser gives the user of an id.
func (h *Handler) GetUser(ctx context.Context, request api.GetUserRequestObject) (api.GetUserResponseObject, error) {
	if err := auth.Own(ctx, request.ID); err != nil {
		return nil, err
	}
	user, err := h.Store.Get(ctx, request.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem.NotFound("user_not_found", "There is no such user.")
	}
	if err != nil {
		return nil, err
	}
	return api.GetUser200JSONResponse(present(user)), nil
}

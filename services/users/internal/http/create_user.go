package http

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

// CreateUser registers a user and announces it. The e-mail address counts without its case.
func (h *Handler) CreateUser(ctx context.Context, request api.CreateUserRequestObject) (api.CreateUserResponseObject, error) {
	user := store.User{
		ID:        h.newID(),
		Email:     strings.ToLower(request.Body.Email),
		Name:      request.Body.Name,
		CreatedAt: h.now().UTC().Truncate(time.Microsecond), // what a database keeps
	}
	if request.Body.Password != nil {
		var err error
		if user.PasswordHash, err = h.Passwords.Hash(ctx, *request.Body.Password); err != nil {
			return nil, err
		}
	}
	created, err := event.New(api.UserCreatedV1Type, user.ID, api.UserCreatedV1{
		ID:        user.ID,
		Email:     user.Email,
		Name:      user.Name,
		CreatedAt: user.CreatedAt,
	})
	if err != nil {
		return nil, err
	}
	if err := h.Store.Create(ctx, user, created); errors.Is(err, store.ErrTaken) {
		return nil, problem.Conflict("email_taken", "A user with this e-mail address is registered already.")
	} else if err != nil {
		return nil, err
	}
	return api.CreateUser201JSONResponse(present(user)), nil
}

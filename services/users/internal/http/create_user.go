package http

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

// CreateUser registers a user and announces it. The e-mail address counts without its case. With an Idempotency-Key it may be
// repeated, whatever it was that broke off before.
func (h *Handler) CreateUser(ctx context.Context, request api.CreateUserRequestObject) (api.CreateUserResponseObject, error) {
	user := store.User{
		ID:        h.newID(),
		Email:     strings.ToLower(request.Body.Email),
		Name:      request.Body.Name,
		Region:    store.DefaultRegion,
		Avatar:    text(request.Body.Avatar),
		CreatedAt: h.now().UTC().Truncate(time.Microsecond), // what a database keeps
	}
	if request.Body.Region != nil {
		user.Region = string(*request.Body.Region)
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
	kept, err := h.Store.Create(ctx, store.Registration{
		User: user, Events: []event.Event{created}, Request: wish(request.Params.IdempotencyKey),
		Completed: func(ctx context.Context, tx bun.Tx, kept store.User) error {
			return idempotency.Complete(ctx, tx, api.CreateUser201JSONResponse(present(kept)).VisitCreateUserResponse)
		},
	})
	switch {
	case errors.Is(err, store.ErrTaken):
		return nil, problem.Conflict("email_taken", "A user with this e-mail address is registered already.")
	case errors.Is(err, store.ErrPending):
		return nil, problem.Unavailable("email_pending", "A user with this e-mail address is being registered at this moment.").WithRetryAfter(time.Second)
	case err != nil:
		return nil, err
	}
	return api.CreateUser201JSONResponse(present(kept)), nil
}

// wish tells the wish to register by its key, which is nobody else's to read.
func wish(key *string) string {
	if key == nil {
		return ""
	}
	sum := sha256.Sum256([]byte(*key))
	return hex.EncodeToString(sum[:])
}

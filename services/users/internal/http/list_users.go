package http

import (
	"context"
	"errors"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

// defaultLimit is the size of a page when the request names none.
const defaultLimit = 50

// ListUsers gives a page of the users in the order of their names.
func (h *Handler) ListUsers(ctx context.Context, request api.ListUsersRequestObject) (api.ListUsersResponseObject, error) {
	if _, ok := auth.User(ctx); ok {
		return nil, problem.Forbidden("not_yours", "The access token speaks for a user, and others are none of a user's business.")
	}
	limit := defaultLimit
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	users, next, err := h.Store.List(ctx, text(request.Params.From), text(request.Params.To), text(request.Params.After), limit)
	if errors.Is(err, store.ErrNoPage) {
		return nil, problem.Invalid("no_such_page", "The names end before they begin, or after is not from a page.")
	}
	if err != nil {
		return nil, err
	}
	page := api.ListUsers200JSONResponse{Items: make([]api.User, len(users))}
	for i, user := range users {
		page.Items[i] = present(user)
	}
	if next != "" {
		page.Next = &next
	}
	return page, nil
}

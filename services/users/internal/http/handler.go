// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
	"github.com/trellis-mesh/trellis/services/users/internal/summary"
)

// Store keeps users; its errors are those of package store.
type Store interface {
	Create(ctx context.Context, registration store.Registration) (store.User, error)
	Get(ctx context.Context, id string) (store.User, error)
	List(ctx context.Context, from, to, after string, limit int) (users []store.User, next string, err error)
	UserByEmail(ctx context.Context, email string) (store.User, error)
	Client(ctx context.Context, id string) (store.Client, error)
}

// Summaries tell what users have ordered; their errors are those of package summary.
type Summaries interface {
	Get(ctx context.Context, userID string) (summary.Summary, error)
	WaitFor(ctx context.Context, userID, orderID string) error
}

// Passwords hashes and verifies what people and programs log in with.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	Verify(ctx context.Context, hash, password string) (bool, error)
}

// Deps are what a Handler works with.
type Deps struct {
	Store     Store
	Summaries Summaries
	Passwords Passwords
	// Issuer makes the tokens, which name IssuerURL as where they come from.
	Issuer    *auth.Issuer
	IssuerURL string
	// UserScopes are what a user who logs in may do, as far as the client may.
	UserScopes []string
}

// Handler answers the operations of the contract.
type Handler struct {
	Deps

	now      func() time.Time
	newID    func() string
	attempts *attempts
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(deps Deps) *Handler {
	return &Handler{Deps: deps, now: time.Now, newID: newID, attempts: newAttempts(time.Now)}
}

// newID gives ids that sort by the time they were made at, which keeps the index of the table compact.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// present shows a user as the contract has it.
func present(user store.User) api.User {
	shown := api.User{
		ID:        user.ID,
		Email:     user.Email,
		Name:      user.Name,
		Region:    api.Region(user.Region),
		CreatedAt: user.CreatedAt,
	}
	if user.Avatar != "" {
		shown.Avatar = &user.Avatar
	}
	return shown
}

// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/services/bff-web/api"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/store"
)

// Store keeps dashboards. It gives store.ErrNotFound for an id that it does not know.
type Store interface {
	Create(ctx context.Context, dashboard store.Dashboard) error
	Get(ctx context.Context, id string) (store.Dashboard, error)
	List(ctx context.Context, after string, limit int) ([]store.Dashboard, error)
}

// Deps are what a Handler works with.
type Deps struct {
	Store   Store
	Clients Clients
}

// Handler answers the operations of the contract.
type Handler struct {
	Deps

	now   func() time.Time
	newID func() string
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(deps Deps) *Handler {
	return &Handler{Deps: deps, now: time.Now, newID: newID}
}

// newID gives ids that sort by the time they were made at, as the pages of a list need it.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

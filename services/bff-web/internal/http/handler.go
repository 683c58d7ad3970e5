// Package http answers the operations of the contract, one file an operation.
package http

import (
	"github.com/trellis-mesh/trellis/services/bff-web/api"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/app"
)

// Deps are what a Handler works with.
type Deps struct {
	Pages *app.Pages
}

// Handler answers the operations of the contract.
type Handler struct {
	Deps
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(deps Deps) *Handler { return &Handler{Deps: deps} }

// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/services/inventory/internal/participant"
)

// Store keeps stock and reservations.
type Store interface {
	Stock(ctx context.Context, productID string) (domain.Stock, error)
	SetStock(ctx context.Context, productID string, onHand int) (domain.Stock, error)
	Handle(ctx context.Context, orderID string, m domain.Message, lines ...domain.Line) (domain.Reservation, bool, error)
}

// Deps are what a Handler works with.
type Deps struct {
	Store        Store
	Transactions twophase.Participant[participant.Order]
}

// Handler answers the operations of the contract.
type Handler struct {
	Deps
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(deps Deps) *Handler {
	return &Handler{Deps: deps}
}

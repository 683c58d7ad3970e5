// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/participant"
)

// Store keeps shipments. Get gives store.ErrNotFound for an order that has none.
type Store interface {
	Get(ctx context.Context, orderID string) (domain.Shipment, error)
	Handle(ctx context.Context, orderID string, m domain.Message, parcel domain.Parcel) (domain.Shipment, bool, error)
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

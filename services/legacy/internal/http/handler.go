// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/internal/domain"
	"github.com/trellis-mesh/trellis/services/legacy/internal/monolith"
)

// Store keeps payments. It gives store.ErrNotFound for one that it does not know.
type Store interface {
	Keep(ctx context.Context, payment domain.Payment) (kept domain.Payment, first bool, err error)
	Refund(ctx context.Context, tombstone domain.Payment) (domain.Payment, error)
	Get(ctx context.Context, reference string) (domain.Payment, error)
	Transaction(ctx context.Context, id string) (domain.Payment, error)
}

// Monolith keeps products and suppliers. It gives monolith.ErrNotFound for one that it does not know.
type Monolith interface {
	Products(ctx context.Context, page, perPage int) (products []monolith.Product, total int, err error)
	Product(ctx context.Context, id string) (monolith.Product, error)
	PutProduct(ctx context.Context, product monolith.Product, at time.Time) (monolith.Product, error)
	Suppliers(ctx context.Context, page, perPage int) (suppliers []monolith.Supplier, total int, err error)
	Supplier(ctx context.Context, id string) (monolith.Supplier, error)
}

// Deps are what a Handler works with.
type Deps struct {
	Store    Store
	Monolith Monolith
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
	return &Handler{Deps: deps, now: now, newID: newID}
}

// now is the time as a database keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// newID gives ids that sort by the time they were made at, which keeps the index of the table compact.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// answer tells of a payment, in the gateway's own terms.
func answer(p domain.Payment) api.GatewayAnswer {
	return api.GatewayAnswer{
		TransactionID: p.TransactionID, StatusCode: p.Status, ResponseMessage: p.Message, TransactionDate: p.CreatedAt, AmountCharged: p.Charged(),
	}
}

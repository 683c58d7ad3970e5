// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/imports"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// Store keeps products; its errors are those of package store.
type Store interface {
	Create(ctx context.Context, product store.Product, done store.Done) error
	Some(ctx context.Context, ids []string) ([]store.Product, error)
	List(ctx context.Context, after string, limit int) ([]store.Product, error)
	Update(ctx context.Context, product store.Product) (store.Product, error)
	Delete(ctx context.Context, id string) error
}

// Reader gives the product of an id, or store.ErrNotFound. It may be the store or a cache before it.
type Reader interface {
	Get(ctx context.Context, id string) (store.Product, error)
}

// Deps are what a Handler works with.
type Deps struct {
	Store   Store
	Reader  Reader
	Imports *imports.Imports
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

// product is what a request asks to be kept. A price that nobody could be charged, such as half a yen, is refused.
func (h *Handler) product(id string, version int, body *api.NewProduct) (store.Product, error) {
	price, err := money.New(body.Price.Amount, body.Price.Currency)
	if err == nil {
		_, err = price.Minor()
	}
	if err != nil {
		return store.Product{}, problem.Invalid("price_invalid", "The price is no amount of its currency.",
			problem.FieldError{In: "body", Pointer: "/price/amount", Detail: err.Error()})
	}
	now := h.now().UTC().Truncate(time.Microsecond) // what a database keeps
	product := store.Product{
		ID: id, SKU: body.Sku, Name: body.Name, Price: store.Price(body.Price), Version: version, CreatedAt: now, UpdatedAt: now,
	}
	if body.Description != nil {
		product.Description = *body.Description
	}
	return product, nil
}

// refusal is what a client is told about an error.
func refusal(err error) error {
	switch {
	case errors.Is(err, store.ErrNoImport):
		return problem.NotFound("import_not_found", "There is no such import.")
	case errors.Is(err, imports.ErrHeader):
		return problem.Invalid("csv_header_invalid", "The file cannot be imported: "+err.Error()+". Nothing of it was kept.")
	case errors.Is(err, imports.ErrPiece):
		return problem.Invalid("piece_too_small", "No row ends in the piece, so nothing of it was kept. Send 64 KiB at least, or to the file's end.")
	case errors.Is(err, store.ErrNotFound):
		return problem.NotFound("product_not_found", "There is no such product.")
	case errors.Is(err, store.ErrTaken):
		return problem.Conflict("sku_taken", "Another product has this sku.")
	case errors.Is(err, store.ErrChanged):
		return problem.Conflict("product_changed", "The product was changed in the meantime. Get it again and repeat the change.")
	}
	return err
}

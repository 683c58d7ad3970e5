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
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// Store keeps products; its errors are those of package store.
type Store interface {
	Create(ctx context.Context, product store.Product) error
	Get(ctx context.Context, id string) (store.Product, error)
	List(ctx context.Context, after string, limit int) ([]store.Product, error)
	Update(ctx context.Context, product store.Product) (store.Product, error)
	Delete(ctx context.Context, id string) error
}

// Deps are what a Handler works with.
type Deps struct {
	Store Store
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

// present shows a product as the contract has it.
func present(product store.Product) api.Product {
	return api.Product{
		ID: product.ID, Sku: product.SKU, Name: product.Name, Description: product.Description, Price: api.Money(product.Price),
		Version: product.Version, CreatedAt: product.CreatedAt, UpdatedAt: product.UpdatedAt,
	}
}

// refusal is what a client is told about an error of the store.
func refusal(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problem.NotFound("product_not_found", "There is no such product.")
	case errors.Is(err, store.ErrTaken):
		return problem.Conflict("sku_taken", "Another product has this sku.")
	case errors.Is(err, store.ErrChanged):
		return problem.Conflict("product_changed", "The product was changed in the meantime. Get it again and repeat the change.")
	}
	return err
}

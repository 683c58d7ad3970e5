// Package app composes what pages show from what the services of the shop know.
package app

import (
	"cmp"
	"context"
	"time"

	"github.com/trellis-mesh/trellis/services/bff-web/internal/domain"
)

// Shop is what the services of the shop know. An error that is a problem of 401, 403 or 404 is their word about the request; any other
// says that they could not be asked.
type Shop interface {
	Customer(ctx context.Context, id string) (domain.Customer, error)
	// Orders gives the latest of a customer, the latest first.
	Orders(ctx context.Context, customerID string, limit int) ([]domain.Order, error)
	Order(ctx context.Context, id string) (domain.Order, error)
	Payments(ctx context.Context, customerID string, limit int) ([]domain.Payment, error)
	// Products gives those that there are of at most ProductsAtOnce.
	Products(ctx context.Context, ids []string) ([]domain.Product, error)
}

// ProductsAtOnce is how many products one call looks up.
const ProductsAtOnce = 100

// Options are what pages may take. The zero Options are those of the service.
type Options struct {
	// Lookup bounds how long a page waits for the names of its products, whatever their number. Default 600 ms: with the time that
	// orders may take, a page is there before its own callers give up.
	Lookup time.Duration
}

// Pages composes pages.
type Pages struct {
	shop   Shop
	lookup time.Duration
}

// New makes pages of what a shop knows.
func New(shop Shop, o Options) *Pages {
	return &Pages{shop: shop, lookup: cmp.Or(o.Lookup, 600*time.Millisecond)}
}

// The names of parts, as answers give them in degraded.
const (
	user      = "user"
	customer  = "customer"
	orders    = "orders"
	payments  = "payments"
	products  = "products"
	analytics = "analytics"
)

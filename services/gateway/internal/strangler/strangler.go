// Package strangler takes the shop over from the monolith, one resource at a time (https://martinfowler.com/bliki/StranglerFigApplication.html).
//
// A flag for each resource says who answers for it; it is followed while the gateway runs, and may differ for a share of the users:
//
//	flags:
//	  gateway.products:
//	    value: legacy                        # everybody gets the monolith's answer,
//	    rollout: {value: new, percent: 10}   # but a tenth of the users the new service's
//	    variants: [new, legacy, shadow]
//
// With shadow the new service answers, and the monolith is asked the same in the background: what differs is counted. The monolith's
// answers are translated to the form of the service that takes over, so that nobody sees who has answered. What nobody
// has taken over, such as suppliers, always comes from the monolith. What is written goes to the new service alone.
package strangler

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/ratelimit"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

// Who answers for a resource.
const (
	byNew    = "new"
	byLegacy = "legacy"
	byShadow = "shadow" // the new service, with which the monolith is compared
)

// Flag is the name of a resource's flag.
func Flag(resource string) string { return "gateway." + resource }

const products = "products"

// Flags tells a flag's value for a user.
type Flags interface {
	String(ctx context.Context, name, fallback, key string) string
}

// Deps are what a Strangler works with.
type Deps struct {
	Proxy    *proxy.Proxy
	Monolith Monolith
	Flags    Flags
	Shadow   *Shadow
}

// Strangler answers for the resources that the monolith has, or had.
type Strangler struct {
	Deps

	old old
}

// New makes a strangler.
func New(deps Deps) *Strangler {
	return &Strangler{Deps: deps, old: old{deps.Monolith}}
}

// Product gives a product.
func (s *Strangler) Product(c *gin.Context, id string) (*proxy.Answer, error) {
	return answer(s, c, question[catalogapi.Product]{
		resource: products,
		ask:      func(ctx context.Context) (catalogapi.Product, error) { return s.old.product(ctx, id) },
		compare:  differences,
	})
}

// Products gives a page of products, or those of some ids.
func (s *Strangler) Products(c *gin.Context, params api.ListProductsParams) (*proxy.Answer, error) {
	return answer(s, c, question[catalogapi.ProductPage]{
		resource: products,
		ask:      func(ctx context.Context) (catalogapi.ProductPage, error) { return s.old.products(ctx, params) },
		compare:  pageDifferences,
	})
}

// Suppliers gives the first suppliers.
func (s *Strangler) Suppliers(c *gin.Context, limit *int) (*proxy.Answer, error) {
	page, err := s.old.suppliers(c.Request.Context(), limit)
	if err != nil {
		return nil, err
	}
	return proxy.JSON(http.StatusOK, page)
}

// Supplier gives a supplier.
func (s *Strangler) Supplier(c *gin.Context, id string) (*proxy.Answer, error) {
	supplier, err := s.old.supplier(c.Request.Context(), id)
	if err != nil {
		return nil, err
	}
	return proxy.JSON(http.StatusOK, supplier)
}

// question is what can be asked of the new service and of the monolith.
type question[T any] struct {
	resource string
	ask      func(context.Context) (T, error)    // the monolith, in the new service's form
	compare  func(taken, old T) (kinds []string) // in what the answers differ
}

// answer gives the answer of whom the flag names. A value that is none of the three is the new service.
func answer[T any](s *Strangler, c *gin.Context, q question[T]) (*proxy.Answer, error) {
	ctx := c.Request.Context()
	switch s.Flags.String(ctx, Flag(q.resource), byNew, userKey(c)) {
	case byLegacy:
		value, err := q.ask(ctx)
		if err != nil {
			return nil, err
		}
		return proxy.JSON(http.StatusOK, value)
	case byShadow:
		taken, err := s.Proxy.Pass(c)
		if err != nil {
			return nil, err
		}
		watch(ctx, s.Shadow, taken, q)
		return taken, nil
	}
	return s.Proxy.Pass(c)
}

// userKey is whom a share of the users goes by: the token's subject, or else the address that the rate limit counts for.
func userKey(c *gin.Context) string {
	if who, ok := auth.From(c.Request.Context()); ok {
		return who.Subject
	}
	return ratelimit.Client(c)
}

// Command catalog: Owns the products of the shop and their prices.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/http"
)

func main() {
	chassis.Main(spec, wire)
}

// wire builds the service on what it declares.
func wire(ctx context.Context, s *chassis.Service) error {
	deps, err := connect(ctx, s)
	if err != nil {
		return err
	}
	keys := idempotency.Options{Required: []string{"createImport"}, Optional: []string{"createProduct"}}
	if err := s.Idempotency(ctx, deps.database, keys); err != nil {
		return err
	}
	versions, err := http.Versions()
	if err != nil {
		return err
	}
	s.Router().Use(versions.Middleware)
	handler, err := build(s, deps)
	if err != nil {
		return err
	}
	api.Register(s.Router(), handler)
	return nil
}

// Command catalog: Owns the products of the shop and their prices.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/http"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
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
	products := store.NewCached(store.New(deps.database), deps.cache)
	api.Register(s.Router(), http.New(http.Deps{Store: products}))
	return nil
}

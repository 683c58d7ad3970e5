// Command gateway: The one door of the shop for its clients.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/http"
	"github.com/trellis-mesh/trellis/services/gateway/internal/store"
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
	routes := store.NewCached(store.New(), deps.cache)
	api.Register(s.Router(), http.New(http.Deps{Store: routes, Clients: deps.clients}))
	return nil
}

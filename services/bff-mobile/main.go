// Command bff-mobile: What small screens need, in as few bytes as will do.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/bff-mobile/api"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/app"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/http"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/shop"
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
	api.Register(s.Router(), http.New(http.Deps{Screens: app.New(shop.New(deps.clients))}))
	return nil
}

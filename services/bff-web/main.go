// Command bff-web: What web pages of the shop need, each in one answer.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/app"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/http"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/shop"
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
	api.Register(s.Router(), http.New(http.Deps{Pages: app.New(shop.New(deps.clients), app.Options{})}))
	return nil
}

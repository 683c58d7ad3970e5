// Command gateway: The one door of the shop for its clients.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/http"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
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
	var set settings
	if err := s.Config(&set); err != nil {
		return err
	}
	if err := guard(s, deps.cache, &set); err != nil {
		return err
	}
	passing, err := proxy.New(s.Client)
	if err != nil {
		return err
	}
	strangling, err := strangle(ctx, s, passing, deps.clients.Legacy, &set)
	if err != nil {
		return err
	}
	api.Register(s.Router(), http.New(http.Deps{Proxy: passing, Strangler: strangling}))
	return nil
}

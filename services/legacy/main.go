// Command legacy: Stands for the monolith being strangled, and for the old payment gateway.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/internal/http"
	"github.com/trellis-mesh/trellis/services/legacy/internal/monolith"
	"github.com/trellis-mesh/trellis/services/legacy/internal/store"
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
	payments := store.New(deps.database)
	api.Register(s.Router(), http.New(http.Deps{Store: payments, Monolith: monolith.New(deps.database)}))
	return nil
}

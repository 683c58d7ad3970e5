// Command ledger: Owns accounts, each of which is the sum of its events.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/ledger/api"
	"github.com/trellis-mesh/trellis/services/ledger/internal/http"
	"github.com/trellis-mesh/trellis/services/ledger/internal/store"
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
	accounts := store.New(deps.database)
	api.Register(s.Router(), http.New(http.Deps{Store: accounts}))
	return nil
}

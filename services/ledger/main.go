// Command ledger: Owns accounts, each of which is the sum of its events.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/ledger/api"
	"github.com/trellis-mesh/trellis/services/ledger/internal/app"
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
	if err := s.Migrate(ctx, deps.database, eventstore.Migrations()); err != nil {
		return err
	}
	accounts, err := store.New(deps.database, store.Options{Log: s.Log(), Registry: s.Registry()})
	if err != nil {
		return err
	}
	s.Projections(accounts.Projector())
	err = s.Idempotency(ctx, deps.database, idempotency.Options{Required: []string{"openAccount", "deposit", "withdraw"}})
	if err != nil {
		return err
	}
	api.Register(s.Router(), http.New(app.New(accounts)))
	return nil
}

// Command shipping: Owns the shipments of orders.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/consumer"
	"github.com/trellis-mesh/trellis/services/shipping/internal/http"
	"github.com/trellis-mesh/trellis/services/shipping/internal/participant"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
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
	shipments := store.New(deps.database)
	if err := s.Migrate(ctx, deps.database, twophase.Migrations()); err != nil {
		return err
	}
	transactions, err := participant.New(deps.database, shipments, twophase.LocalOptions{Log: s.Log(), Registry: s.Registry()})
	if err != nil {
		return err
	}
	s.Go("transactions in doubt", transactions.Run)
	api.Register(s.Router(), http.New(http.Deps{Store: shipments, Transactions: transactions}))
	subscribe(s, consumer.New(consumer.Deps{Inbox: deps.inbox, Outbox: deps.outbox, Store: shipments}))
	return nil
}

// Command orders: Takes orders at the prices of the catalog.
package main

import (
	"context"
	"io/fs"
	"time"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/consumer"
	"github.com/trellis-mesh/trellis/services/orders/internal/http"
	"github.com/trellis-mesh/trellis/services/orders/internal/partner"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

func main() {
	chassis.Main(spec, wire)
}

// settings are the keys of this service alone.
type settings struct {
	Fulfilment struct {
		Lease time.Duration `config:"lease" default:"30s" doc:"after which another replica goes on with the order of one that died"`
	} `config:"fulfilment"`
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
	flags, err := s.Flags(ctx)
	if err != nil {
		return err
	}
	for _, tables := range []fs.FS{saga.Migrations(), twophase.Migrations()} {
		if err := s.Migrate(ctx, deps.database, tables); err != nil {
			return err
		}
	}
	orders, err := app.New(app.Deps{
		Database: deps.database, Outbox: deps.outbox, Flags: flags, Log: s.Log(), Registry: s.Registry(),
		Lease: set.Fulfilment.Lease,
		Partners: app.Partners{
			Inventory: partner.Inventory{Client: deps.clients.Inventory},
			Payments:  partner.Payments{Client: deps.clients.Payments},
			Shipping:  partner.Shipping{Client: deps.clients.Shipping},
		},
	})
	if err != nil {
		return err
	}
	s.Go("fulfilment of orders", orders.Run)
	if err := s.Idempotency(ctx, deps.database, idempotency.Options{Optional: []string{"createOrder"}}); err != nil {
		return err
	}
	api.Register(s.Router(), http.New(http.Deps{Orders: orders, Store: store.New(deps.database, deps.outbox), Clients: deps.clients}))
	subscribe(s, consumer.New(deps.inbox, orders))
	return nil
}

package main

import (
	"context"
	"io/fs"
	"time"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/partner"
)

// settings are the keys of this service alone.
type settings struct {
	Fulfilment struct {
		Lease time.Duration `config:"lease" default:"30s" doc:"after which another replica goes on with the order of one that died"`
	} `config:"fulfilment"`
}

// fulfilment makes the use cases of orders, on the partners that fulfil them, and runs what they leave to the background.
func fulfilment(ctx context.Context, s *chassis.Service, deps deps) (*app.Orders, error) {
	var set settings
	if err := s.Config(&set); err != nil {
		return nil, err
	}
	flags, err := s.Flags(ctx)
	if err != nil {
		return nil, err
	}
	for _, tables := range []fs.FS{saga.Migrations(), twophase.Migrations()} {
		if err := s.Migrate(ctx, deps.database, tables); err != nil {
			return nil, err
		}
	}
	payments := partner.Payments{Client: deps.clients.Payments}
	orders, err := app.New(app.Deps{
		Database: deps.database, Outbox: deps.outbox, Flags: flags, Log: s.Log(), Registry: s.Registry(),
		Lease: set.Fulfilment.Lease, Till: payments,
		Partners: app.Partners{
			Inventory: partner.Inventory{Client: deps.clients.Inventory},
			Payments:  payments,
			Shipping:  partner.Shipping{Client: deps.clients.Shipping},
		},
	})
	if err != nil {
		return nil, err
	}
	s.Sagas(orders.Sagas()...)
	s.Go("fulfilment of orders", orders.Run)
	return orders, nil
}

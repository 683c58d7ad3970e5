// Command orders: Takes orders at the prices of the catalog.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/consumer"
	"github.com/trellis-mesh/trellis/services/orders/internal/http"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
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
	orders, err := fulfilment(ctx, s, deps)
	if err != nil {
		return err
	}
	if err := s.Idempotency(ctx, deps.database, idempotency.Options{Optional: []string{"createOrder", "addItem"}}); err != nil {
		return err
	}
	api.Register(s.Router(), http.New(http.Deps{Orders: orders, Store: store.New(deps.database, deps.outbox), Clients: deps.clients}))
	subscribe(s, consumer.New(deps.inbox, orders, s.Log()))
	return nil
}

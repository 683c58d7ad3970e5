// Command payments: Owns what customers pay, and knows the payment gateway.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/consumer"
	"github.com/trellis-mesh/trellis/services/payments/internal/http"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
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
	payments := store.New(deps.database, deps.outbox)
	api.Register(s.Router(), http.New(http.Deps{Store: payments, Clients: deps.clients}))
	subscribe(s, consumer.New(deps.inbox, s.Log()))
	return nil
}

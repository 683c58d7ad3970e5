// Command payments: Owns what customers pay, and knows the payment gateway.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/app"
	"github.com/trellis-mesh/trellis/services/payments/internal/consumer"
	"github.com/trellis-mesh/trellis/services/payments/internal/gateway"
	"github.com/trellis-mesh/trellis/services/payments/internal/http"
	"github.com/trellis-mesh/trellis/services/payments/internal/metric"
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
	metrics, err := metric.New(s.Registry())
	if err != nil {
		return err
	}
	payments := app.New(store.New(deps.database, deps.outbox), gateway.New(deps.clients.Legacy), s.Log(), metrics)
	if err := s.Idempotency(ctx, deps.database, idempotency.Options{Optional: []string{"createPaymentMethod"}}); err != nil {
		return err
	}
	api.Register(s.Router(), http.New(payments))
	subscribe(s, consumer.New(deps.inbox, payments))
	s.Go("settle open payments", payments.Run)
	return nil
}

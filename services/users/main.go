// Command users: Owns the people who use the shop.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/http"
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
	users, err := openUsers(ctx, s, deps, &set)
	if err != nil {
		return err
	}
	handlers, err := logIns(ctx, s, deps, users, &set)
	if err != nil {
		return err
	}
	if err := s.Idempotency(ctx, deps.database, idempotency.Options{Optional: []string{"createUser"}}); err != nil {
		return err
	}
	api.Register(s.Router(), http.New(handlers))
	return nil
}

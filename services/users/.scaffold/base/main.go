// Command users: Owns the people who use the shop.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/consumer"
	"github.com/trellis-mesh/trellis/services/users/internal/http"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
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
	users := store.New(deps.database, deps.outbox)
	api.Register(s.Router(), http.New(http.Deps{Store: users}))
	subscribe(s, consumer.New(deps.inbox, s.Log()))
	return nil
}

// Command notifications: Writes to customers, and knows what was sent.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/consumer"
	"github.com/trellis-mesh/trellis/services/notifications/internal/http"
	"github.com/trellis-mesh/trellis/services/notifications/internal/store"
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
	messages := store.New(deps.database)
	api.Register(s.Router(), http.New(http.Deps{Store: messages}))
	subscribe(s, consumer.New(deps.inbox, s.Log()))
	return nil
}

// Command notifications: Writes to customers, and knows what was sent.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/consumer"
	"github.com/trellis-mesh/trellis/services/notifications/internal/http"
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
	notifications, err := build(s, deps.database)
	if err != nil {
		return err
	}
	s.Go("send messages", notifications.Run)
	api.Register(s.Router(), http.New(notifications))
	subscribe(s, consumer.New(deps.inbox, notifications))
	return nil
}

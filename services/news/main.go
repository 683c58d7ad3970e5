// Command news: Gathers what others write about, hourly and when asked.
package main

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/services/news/api"
	"github.com/trellis-mesh/trellis/services/news/internal/app"
	"github.com/trellis-mesh/trellis/services/news/internal/http"
	"github.com/trellis-mesh/trellis/services/news/internal/store"
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
	sources, options, err := sources(s, deps.clients.Legacy)
	if err != nil {
		return err
	}
	news, err := app.New(sources, store.New(deps.database), options)
	if err != nil {
		return err
	}
	api.Register(s.Router(), http.New(news))
	s.Go("ask the sources every hour", news.Run)
	return nil
}

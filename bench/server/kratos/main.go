// Command kratos serves a thing with Kratos: the handler has the shape that protoc-gen-go-http generates, the middleware
// are the ones that its documentation recommends in that order, logs are JSON on standard output, metrics are
// OpenTelemetry's through the Prometheus exporter, and traces go out over OTLP/HTTP.
package main

import (
	"context"
	"log"

	"github.com/go-kratos/kratos/v2"
	"github.com/go-kratos/kratos/v2/errors"
	klog "github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/middleware/logging"
	"github.com/go-kratos/kratos/v2/middleware/metrics"
	"github.com/go-kratos/kratos/v2/middleware/recovery"
	"github.com/go-kratos/kratos/v2/middleware/tracing"
	"github.com/go-kratos/kratos/v2/middleware/validate"
	"github.com/go-kratos/kratos/v2/transport/http"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/trellis-mesh/trellis/bench/server/thing"
)

const operation = "/thing.v1.Thing/GetThing"

type request struct {
	ID string `json:"id"`
}

// Validate is called by the validate middleware.
func (r *request) Validate() error { return thing.CheckID(r.ID) }

func main() {
	if err := run(context.Background(), thing.ParseOptions()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, options thing.Options) error {
	shutdown, err := trace(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = shutdown(ctx) }()
	counter, histogram, err := meters()
	if err != nil {
		return err
	}
	logger := klog.With(jsonLogger(), "service.name", "thing-kratos", "trace.id", tracing.TraceID(), "span.id", tracing.SpanID())
	klog.SetLogger(logger)

	server := http.NewServer(http.Address(options.Addr), http.Middleware(
		recovery.Recovery(),
		tracing.Server(),
		logging.Server(logger),
		metrics.Server(metrics.WithRequests(counter), metrics.WithSeconds(histogram)),
		validate.Validator(),
	))
	server.Handle("/metrics", promhttp.Handler())
	server.Route("/").GET("/v1/things/{id}", get(thing.NewStore()))
	return kratos.New(kratos.Name("thing"), kratos.Logger(logger), kratos.Server(server)).Run()
}

func get(store *thing.Store) http.HandlerFunc {
	return func(ctx http.Context) error {
		var in request
		if err := ctx.BindQuery(&in); err != nil {
			return err
		}
		if err := ctx.BindVars(&in); err != nil {
			return err
		}
		http.SetOperation(ctx, operation)
		handle := ctx.Middleware(func(_ context.Context, req any) (any, error) {
			t, ok := store.Find(req.(*request).ID)
			if !ok {
				return nil, errors.NotFound("THING_NOT_FOUND", "no such thing")
			}
			return &t, nil
		})
		out, err := handle(ctx, &in)
		if err != nil {
			return err
		}
		return ctx.Result(200, out)
	}
}

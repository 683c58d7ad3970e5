package chassis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/fault"
	"github.com/trellis-mesh/trellis/chassis/health"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// Service is a service being wired or running. Its methods give each part on demand, with health checks, metrics, spans and
// the place in the ordered stop taken care of.
type Service struct {
	spec     Spec
	settings *settings
	tel      *telemetry.Telemetry
	health   *health.Set
	tokens   tokens
	api      *httpserver.Server
	admin    *httpserver.Server

	// The goroutines, by when they stop.
	consumers, workers, relays, servers *crew
	newConsumer                         func(*Service) (runner, error)
	// failed gets the first error of a goroutine that was not asked to stop.
	failed chan error

	mu        sync.Mutex
	hooks     []hook // OnStop
	pools     []hook // what is closed last
	faults    []error
	handlers  map[string]event.Handler
	publisher *event.KafkaPublisher
	cache     redis.UniversalClient
	clients   map[string]*httpclient.Client
	shards    map[string]*database.DB
}

// hook is something to be called when the service stops.
type hook struct {
	name string
	run  func(context.Context) error
}

func newService(ctx context.Context, spec Spec, set *settings, opt Options) (*Service, error) {
	tel, err := telemetry.New(ctx, telemetry.Options{
		Service: spec.Name, Version: spec.Version, Environment: set.Environment,
		Endpoint: set.Telemetry.Endpoint, SpansOnly: !set.Telemetry.Logs, Ratio: set.Telemetry.Ratio, Level: set.Log.Level, Output: opt.Stdout, LogDelay: set.Log.Delay,
	})
	if err != nil {
		return nil, err
	}
	if opt.install {
		tel.Install()
	}
	s := &Service{
		spec: spec, settings: set, tel: tel,
		health:   health.New(health.Options{Log: tel.Log}),
		failed:   make(chan error, 1),
		handlers: map[string]event.Handler{},
		clients:  map[string]*httpclient.Client{},

		newConsumer: kafkaConsumer,
	}
	if opt.newConsumer != nil {
		s.newConsumer = opt.newConsumer
	}
	s.consumers, s.workers, s.relays, s.servers = s.crew(), s.crew(), s.crew(), s.crew()
	if err := s.buildServers(); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	return s, nil
}

func (s *Service) buildServers() (err error) {
	o := httpserver.Options{
		Addr: s.settings.HTTP.Addr, Contract: s.spec.Contract, Authorize: s.tokens.authorize, RequestTimeout: s.spec.Timeout,
		Objective:      s.spec.Objective,
		TrustedProxies: s.settings.HTTP.Proxies,
		Telemetry:      s.tel, Health: s.health, Fault: fault.New(fault.Options{}), Unmeasured: !s.settings.Telemetry.Metrics,
	}
	if s.api, err = httpserver.New(o); err != nil {
		return fmt.Errorf("build the API server: %w", err)
	}
	o.Addr, o.Contract, o.RequestTimeout = s.settings.Admin.Addr, nil, 0
	if s.admin, err = httpserver.NewAdmin(o); err != nil {
		return fmt.Errorf("build the admin server: %w", err)
	}
	return nil
}

// Log writes JSON lines with the trace, span, request and correlation id of the context.
func (s *Service) Log() *slog.Logger { return s.tel.Log }

// Config fills in a struct with keys of the service's own, tagged as package config describes; its values are the
// defaults. A key or variable that neither the chassis nor wire has asked for keeps the service from starting.
func (s *Service) Config(into any) error { return s.settings.source.Decode(into) }

// Router takes the handlers. Every request to them is validated against the contract, traced, measured and logged.
func (s *Service) Router() *gin.Engine { return s.api.Router() }

// Registry takes the service's own metrics.
func (s *Service) Registry() *prometheus.Registry { return s.tel.Registry }

// Health takes the service's own readiness checks.
func (s *Service) Health() *health.Set { return s.health }

// Addr and AdminAddr are where the service listens.
func (s *Service) Addr() string { return s.api.Addr() }

// AdminAddr is where metrics, health, profiles, the log level and faults are served.
func (s *Service) AdminAddr() string { return s.admin.Addr() }

// Go runs fn in the background until its context ends, which it does after the last request was answered. An error that
// comes before that, or a panic, stops the whole service; a nil means that the work is done.
func (s *Service) Go(name string, fn func(context.Context) error) { s.workers.Go(name, fn) }

// OnStop has fn called when the service stops: after all goroutines, before the pools are closed, the last one first.
func (s *Service) OnStop(name string, fn func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, hook{name, fn})
}

// closeLast has fn called when nothing can use a pool any more.
func (s *Service) closeLast(name string, fn func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools = append(s.pools, hook{name, func(context.Context) error { return fn() }})
}

// misuse notes a fault in the wiring that is reported once wire has returned.
func (s *Service) misuse(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Errorf(format, args...))
}

// missing says that a key with an address has no value, and how to give it one.
func missing(what, key, example string) error {
	return unset(what+": no address", key, example)
}

// variable is the environment variable of a configuration key.
func variable(key string) string {
	return "APP_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

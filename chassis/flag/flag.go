// Package flag turns features on and off while a service runs: for everybody, for a share of the users, or for some by name.
// It is a provider for OpenFeature (https://openfeature.dev), whose client services may use as it is.
//
//	flags, err := flag.Open(flag.Options{File: "/etc/flags/flags.yaml"})
//	go flags.Run(ctx) // follows the file
//	if flags.Bool(ctx, "checkout.fast", false, userID) {
//	how := flags.String(ctx, "orders.fulfilment", "choreography", orderID)
//
// The file, YAML or JSON, has a value for each flag, and whom it differs for:
//
//	flags:
//	  checkout.fast:
//	    value: false                          # for everybody
//	    rollout: {value: true, percent: 10}   # but for a tenth of the keys
//	    keys: {ada: true}                     # and for these
//	  orders.fulfilment:
//	    value: choreography
//	    variants: [choreography, orchestration, two-phase] # nothing else is taken
//
// Whether a key belongs to the share depends on the flag's name and the key alone. So it is the same in every process, and
// whoever has a feature at 10 % keeps it at 20 %.
//
// A flag that the file does not have, and one of another type, has the default that the caller gives; OpenFeature's details say why.
//
// The file is followed, also when it is a ConfigMap that Kubernetes exchanges by a symbolic link. All of a new file holds at once, or, when
// anything in it is wrong, nothing: the old one stays in force, which is logged and shown by flag_file_stale.
package flag

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// Options say where flags come from. With neither File nor Set every flag has its caller's default.
type Options struct {
	File     string                // path of a YAML or JSON file; none when empty
	Set      []string              // name=value, for everybody, whatever the file says of the flag
	Poll     time.Duration         // how often the file is read although nothing was heard of it; default 10s
	Log      *slog.Logger          // default: slog.Default
	Registry prometheus.Registerer // nil: no metrics
}

// Flags are a service's flags. They may be asked by any number of goroutines.
type Flags struct {
	opt      Options
	fixed    map[string]definition
	current  atomic.Pointer[state]
	api      *openfeature.EvaluationAPI
	client   *openfeature.Client
	events   chan openfeature.Event
	reloads  *prometheus.CounterVec
	stale    prometheus.Gauge
	reading  sync.Mutex // one reload at a time
	rejected string     // the content that was refused last, so that it is logged once
}

// state is what a file said; it never changes.
type state struct {
	text   string
	flags  map[string]definition
	loaded time.Time
	err    string // why a newer file is not in force
}

// Open reads the flags. A file that cannot be read or has a fault is an error now, and later on leaves things as they are.
func Open(opt Options) (*Flags, error) {
	if opt.Poll == 0 {
		opt.Poll = 10 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Registry == nil {
		opt.Registry = prometheus.NewRegistry()
	}
	f := &Flags{opt: opt, events: make(chan openfeature.Event, 1)}
	var err error
	if f.fixed, err = parseSet(opt.Set); err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	if err := f.register(); err != nil {
		return nil, fmt.Errorf("flags: metrics: %w", err)
	}
	first, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	f.current.Store(first)
	f.api = isolated.NewAPI()
	if err := f.api.SetProviderAndWait(context.Background(), provider{f}); err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	f.client = f.api.NewClient()
	return f, nil
}

// Close ends what OpenFeature runs in the background.
func (f *Flags) Close(ctx context.Context) error { return f.api.Shutdown(ctx) }

// Client is OpenFeature's own, for its hooks, details and events.
func (f *Flags) Client() *openfeature.Client { return f.client }

// Bool gives a flag's value for a key, such as a user's id; fallback when there is no such flag.
func (f *Flags) Bool(ctx context.Context, name string, fallback bool, key string) bool {
	return f.client.Boolean(ctx, name, fallback, openfeature.NewEvaluationContext(key, nil))
}

// String gives a flag's value for a key, such as a user's id; fallback when there is no such flag.
func (f *Flags) String(ctx context.Context, name, fallback, key string) string {
	return f.client.String(ctx, name, fallback, openfeature.NewEvaluationContext(key, nil))
}

func (f *Flags) register() error {
	f.reloads = metric.FlagReloads.CounterVec()
	f.stale = metric.FlagFileStale.Gauge()
	for _, result := range []string{"ok", "error"} {
		f.reloads.WithLabelValues(result)
	}
	return errors.Join(f.opt.Registry.Register(f.reloads), f.opt.Registry.Register(f.stale))
}

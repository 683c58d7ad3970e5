package local

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Platform is a running platform. Its methods may be called from several goroutines.
type Platform struct {
	options  Options
	console  *console
	spawn    *spawner
	host     *host // nil before it is started
	watchers *watchers
	services []*spec.Service
	order    []string // of processes, sorted
	procs    map[string]*process
	release  func() // gives back what was reserved

	life    sync.Mutex // starting and stopping processes
	stopped bool

	mu       sync.Mutex
	started  bool
	failures map[string]error // by service: the last thing that went wrong
}

// Service is where a service listens. The URLs have no slash at the end.
type Service struct {
	Name  string
	URL   string // API: the contract's routes and /health
	Admin string // metrics, pprof, log level, faults
}

// Start builds the services, starts them with all that they need, and waits until they are ready. When it returns an error,
// everything is stopped again.
func Start(ctx context.Context, o Options) (*Platform, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	services, err := selection(o.Model, o.Services)
	if err != nil {
		return nil, err
	}
	p := &Platform{
		options: o, services: services, spawn: newSpawner(), procs: make(map[string]*process), release: func() {}, failures: make(map[string]error),
		watchers: new(watchers),
		console:  &console{out: o.Out, logs: o.Logs, tty: o.TTY},
	}
	if err := p.start(ctx); err != nil {
		_ = p.Stop(context.WithoutCancel(ctx))
		return nil, err
	}
	return p, nil
}

func (p *Platform) start(ctx context.Context) error {
	if err := p.checkPorts(); err != nil {
		return err
	}
	bin := filepath.Join(p.options.Root, ".trellis", "bin")
	if err := build(ctx, p.options, p.services, bin, p.spawn, p.console); err != nil {
		return err
	}
	ports, err := p.ports()
	if err != nil {
		return err
	}
	if p.host, err = startHost(ctx, p.options, ports, p.services, p.console.report); err != nil {
		return err
	}
	if err := p.prepareTokens(); err != nil {
		return err
	}
	if err := p.watch(ports); err != nil {
		return err
	}
	p.prepare(ports, bin)
	for _, name := range p.order {
		if err := p.procs[name].start(p.spawn); err != nil {
			return err
		}
	}
	if err := p.awaitAll(ctx); err != nil {
		return err
	}
	p.awaitWatchers(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started = true
	return ctx.Err()
}

// checkPorts says before the build, which takes a while, that a port is taken.
func (p *Platform) checkPorts() error {
	if p.options.FreePorts {
		return nil
	}
	ports, err := p.ports()
	if err != nil {
		return err
	}
	wanted := needs(p.services)
	wanted.kafka = wanted.kafka && len(p.options.Kafka) == 0
	wanted.redis = wanted.redis && p.options.Redis == ""
	wanted.watch = p.options.Observe
	return ports.check(p.services, wanted)
}

func (p *Platform) ports() (ports, error) {
	if !p.options.FreePorts {
		return fixedPorts(p.options.PortBase, p.options.Model)
	}
	got, release, err := freePorts(p.options.Model)
	if err == nil {
		p.release = release
	}
	return got, err
}

// prepare makes a process for each service, not started yet.
func (p *Platform) prepare(ports ports, bin string) {
	paint := painter{colour: p.options.Colour}
	for _, s := range p.services {
		paint.width = max(paint.width, len(s.Name))
	}
	for i, s := range p.services {
		at := ports.services[s.Name]
		prefix := paint.prefix(i, s.Name)
		proc := &process{
			Service: Service{Name: s.Name, URL: "http://" + loopback(at.api), Admin: "http://" + loopback(at.admin)},
			binary:  binary(bin, s),
			dir:     filepath.Join(p.options.Root, filepath.FromSlash(s.Dir)),
			exited:  p.exited,
		}
		proc.emit = func(line []byte) { p.console.log([]byte(prefix + paint.line(line))) }
		if p.options.Log == LogJSON {
			proc.emit = p.console.log
		}
		p.procs[s.Name] = proc
		p.order = append(p.order, s.Name)
	}
	for _, s := range p.services {
		p.procs[s.Name].env = p.environment(s)
	}
}

// environment of a service: this process's own, what the platform sets, and what the options add, the later winning.
func (p *Platform) environment(s *spec.Service) []string {
	set := map[string]string{
		"APP_HTTP_ADDR":          strings.TrimPrefix(p.procs[s.Name].URL, "http://"),
		"APP_ADMIN_ADDR":         strings.TrimPrefix(p.procs[s.Name].Admin, "http://"),
		"APP_TELEMETRY_ENDPOINT": cmp.Or(p.watchers.collector, p.host.traces),
		"APP_TELEMETRY_RATIO":    "1",
		"APP_SHUTDOWN_DELAY":     "100ms",
		"APP_ENVIRONMENT":        "local",
	}
	if len(s.Events.Publishes)+len(s.Events.Consumes) > 0 {
		set["APP_KAFKA_BROKERS"] = strings.Join(p.host.brokers, ",")
	}
	if s.Cache.Kind == "redis" {
		set["APP_REDIS_URL"] = p.host.redis
	}
	if s.Database.Kind == "postgres" {
		set["APP_DATABASE_URL"] = databaseURL(p.options, s.Name)
		for _, shard := range s.Database.Shards {
			set["APP_DATABASE_SHARDS_"+variable(shard)+"_URL"] = databaseURL(p.options, s.Name+"-"+shard)
		}
	}
	if mails(s) { // without APP_: a service that does not look at them does not mind
		set["SMTP_HOST"], set["SMTP_PORT"], set["SMTP_TLS"] = "127.0.0.1", strconv.Itoa(p.host.smtp), "none"
	}
	if s.Flags.Kind == "file" {
		set["APP_FLAGS_FILE"] = filepath.Join(p.options.Root, filepath.FromSlash(s.Dir), "deploy", "flags.yaml")
	}
	for callee := range s.Calls {
		set["APP_CALLS_"+variable(callee)+"_URL"] = p.procs[callee].URL
	}
	maps.Copy(set, p.tokenSettings(s))
	maps.Copy(set, p.options.Env)
	maps.Copy(set, p.options.ServiceEnv[s.Name])
	env := os.Environ()
	for _, k := range slices.Sorted(maps.Keys(set)) {
		env = append(env, k+"="+set[k])
	}
	return env
}

// variable is a name as it stands in an environment variable.
func variable(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

// awaitAll waits for every service at the same time. Whether one that isn't ready ends the start is an option.
func (p *Platform) awaitAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	waiting := newRoll(p.order)
	p.console.show("waiting for %s", waiting)
	defer p.console.show("")
	for _, name := range p.order {
		group.Go(func() error {
			r := p.procs[name].last()
			err := r.waitReady(ctx, p.options.ReadyTimeout)
			waiting.strike(name)
			p.console.show("waiting for %s", waiting)
			if err == nil || !p.options.KeepGoing {
				return err
			}
			if ctx.Err() == nil && !r.ended() { // an end is reported by itself
				p.fail(name, errors.New("is not ready"))
				p.console.report("%s", err)
			}
			return nil
		})
	}
	return group.Wait()
}

// exited is told of a run that ended by itself.
func (p *Platform) exited(r *run) {
	p.fail(r.process.Name, errors.New("exited"))
	p.mu.Lock()
	quiet := !p.started && !p.options.KeepGoing // Start's error says it
	p.mu.Unlock()
	if !quiet {
		p.console.report("%s %s", r.process.Name, r.outcome())
	}
}

func (p *Platform) fail(service string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures[service] = err
}

// roll is a list of names that get struck off.
type roll struct {
	mu    sync.Mutex
	names []string
}

func newRoll(names []string) *roll { return &roll{names: slices.Clone(names)} }

func (r *roll) strike(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = slices.DeleteFunc(r.names, func(n string) bool { return n == name })
}

func (r *roll) add(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = append(r.names, name)
	slices.Sort(r.names)
}

func (r *roll) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.names, ", ")
}

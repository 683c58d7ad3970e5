package local

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/token"
)

// LogFormat says how the services' logs are shown.
type LogFormat string

// The formats of logs.
const (
	LogText LogFormat = "text" // short lines for people, each with the service's name
	LogJSON LogFormat = "json" // as the services write them
)

// Options says what to run and how. Root and Model are required, all else has a default.
type Options struct {
	// Root is the platform's folder.
	Root  string
	Model *spec.Model
	// Services to start, with everything that they call; none means all.
	Services []string

	// PortBase overrides local.portBase of platform.yaml. FreePorts takes any free ports instead, as tests need.
	PortBase  int
	FreePorts bool
	// DataDir holds the databases; default .trellis/data under Root.
	DataDir string
	// BuildFlags are passed on to go build, such as -race.
	BuildFlags []string
	// Env is set for every service, over what the platform itself sets: {"APP_LOG_LEVEL": "debug"}.
	Env map[string]string
	// ServiceEnv is set for the service of a name, over all that; a service refuses variables that it does not know.
	ServiceEnv map[string]map[string]string

	// Kafka lists the brokers of a real cluster, Redis is the URL of a real server, and Database gives the URL of a database:
	// orders is that of the service, users-s1 that of a shard. Each replaces what would be hosted in the process.
	Kafka    []string
	Redis    string
	Database func(name string) string

	// Observe runs what watches the platform beside it: Prometheus, Alertmanager, Jaeger and Loki, as far as they are installed.
	Observe bool

	// ReadyTimeout bounds the wait for a service's readiness, default 30 s. StopTimeout bounds its graceful stop, after which
	// it is killed; default 10 s.
	ReadyTimeout, StopTimeout time.Duration
	// KeepGoing leaves the others running when a service exits or does not become ready while the platform starts.
	KeepGoing bool

	// Out gets progress and reports, Logs the services' logs; nil discards them.
	Out, Logs io.Writer
	Log       LogFormat
	// TTY is whether Out is a terminal, so that progress is one line which updates itself; Colour is whether colours are wanted.
	TTY, Colour bool
}

func (o Options) withDefaults() (Options, error) {
	if o.Root == "" || o.Model == nil || o.Model.Platform == nil {
		return o, errors.New("local: Root and Model are required")
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return o, fmt.Errorf("resolve the platform's root: %w", err)
	}
	o.Root = root
	o.PortBase = cmp.Or(o.PortBase, o.Model.Platform.Local.PortBase)
	o.DataDir = cmp.Or(o.DataDir, filepath.Join(root, ".trellis", "data"))
	o.ReadyTimeout = cmp.Or(o.ReadyTimeout, 30*time.Second)
	o.StopTimeout = cmp.Or(o.StopTimeout, 10*time.Second)
	o.Log = cmp.Or(o.Log, LogText)
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Logs == nil {
		o.Logs = io.Discard
	}
	return o, nil
}

// selection returns the named services and all that they need, sorted by name.
func selection(m *spec.Model, names []string) ([]*spec.Service, error) {
	if len(names) == 0 {
		if len(m.Services) == 0 {
			return nil, errors.New("no services: make one with `scaffold new NAME`")
		}
		return m.Services, nil
	}
	chosen := make(map[string]*spec.Service)
	for queue := slices.Clone(names); len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if chosen[name] != nil {
			continue
		}
		s := m.Service(name)
		if s == nil {
			return nil, fmt.Errorf("no service %q: `scaffold graph` shows the ones there are", name)
		}
		chosen[name] = s
		queue = append(queue, slices.Sorted(maps.Keys(s.Calls))...)
		if issuer := token.Issuer(m); issuer != nil && secured(s) {
			queue = append(queue, issuer.Name) // it has the keys of the tokens that the service asks for
		}
	}
	var out []*spec.Service
	for _, s := range m.Services {
		if chosen[s.Name] != nil {
			out = append(out, s)
		}
	}
	return out, nil
}

// waves orders the services for stopping: callers before their callees, so that a request under way can still be finished.
func waves(services []*spec.Service) [][]string {
	depth := make(map[string]int, len(services))
	// A longest path has fewer edges than there are services, so the rounds end even if the calls form a circle.
	for range services {
		for _, s := range services {
			for callee := range s.Calls {
				depth[callee] = max(depth[callee], min(depth[s.Name]+1, len(services)-1))
			}
		}
	}
	out := make([][]string, len(services))
	for _, s := range services {
		out[depth[s.Name]] = append(out[depth[s.Name]], s.Name)
	}
	return slices.DeleteFunc(out, func(w []string) bool { return len(w) == 0 })
}

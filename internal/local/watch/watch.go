// Package watch says how what watches a platform - Prometheus, Alertmanager, Jaeger and Loki - runs beside it on a developer's
// machine: of the very configuration that a cluster gets (observability/), with other addresses.
//
//	plan, missing, err := watch.Make(watch.Options{Root: root, Dir: dir, Services: services, Ports: ports})
//	for _, p := range plan { … exec.Command(p.Binary, p.Args...) … }
//
// It starts nothing itself, and knows nothing of Grafana, which is no single program.
package watch

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Options are what the parts must know of the platform.
type Options struct {
	Root string // the platform's folder, with observability/ and services/
	Dir  string // where the parts keep their configuration and data
	// Services are scraped at their admin ports, host:port by name.
	Services map[string]string
	Versions map[string]string // of platform.yaml: which version is looked for in the user's cache
	Ports    Ports
}

// Ports that the parts listen on. The first four are for people.
type Ports struct {
	Prometheus, Alertmanager, Jaeger, Loki int
	OTLP                                   int // the collector's, for services
	Inner                                  [6]int
}

// The places of Inner.
const (
	otlpGRPC = iota
	health
	query
	collectorMetrics
	spanMetrics
	lokiGRPC
)

// Part is one program to run.
type Part struct {
	Name   string
	Binary string
	Args   []string
	Env    []string
	URL    string // where people look
	Ready  string // URL that answers 200 when it is ready
}

// Missing is a part whose program is not on this machine.
type Missing struct{ Name, Remedy string }

// program is how one is found and got.
type program struct {
	name    string
	others  []string // under which names it is installed, too
	remedy  string
	prepare func(*maker) (Part, error)
}

var programs = []program{
	{"prometheus", nil, "apt install prometheus, or https://prometheus.io/download", (*maker).prometheus},
	{"alertmanager", []string{"prometheus-alertmanager"}, "apt install prometheus-alertmanager, or https://prometheus.io/download", (*maker).alertmanager},
	{"jaeger", nil, "https://www.jaegertracing.io/download (version 2)", (*maker).jaeger},
	{"loki", []string{"loki-linux-amd64", "loki-linux-arm64"}, "https://grafana.com/docs/loki/latest/setup/install", (*maker).loki},
}

// maker makes the parts' configurations.
type maker struct {
	Options
	found map[string]string // programs by name
}

// Make writes the configurations of the parts whose programs are here, and says how they are run and which are missing.
func Make(o Options) ([]Part, []Missing, error) {
	m := &maker{Options: o, found: map[string]string{}}
	var missing []Missing
	for _, p := range programs {
		if path := find(p, o.Versions[p.name]); path != "" {
			m.found[p.name] = path
		} else {
			missing = append(missing, Missing{p.name, p.remedy})
		}
	}
	var parts []Part
	for _, p := range programs {
		if m.found[p.name] == "" {
			continue
		}
		if err := os.MkdirAll(m.folder(p.name), 0o750); err != nil {
			return nil, nil, err
		}
		part, err := p.prepare(m)
		if err != nil {
			return nil, nil, fmt.Errorf("configure %s: %w", p.name, err)
		}
		part.Name, part.Binary = p.name, m.found[p.name]
		parts = append(parts, part)
	}
	return parts, missing, nil
}

// find looks for a program in PATH, and where this project's own setup puts programs.
func find(p program, version string) string {
	for _, name := range append([]string{p.name}, p.others...) {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	path := filepath.Join(cache, "trellis", p.name, version, p.name)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path
	}
	return ""
}

func (m *maker) folder(name string) string { return filepath.Join(m.Dir, name) }

// reachable reports whether a part will run.
func (m *maker) reachable(name string) bool { return m.found[name] != "" }

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// rules are the files with those of the services. A pattern would not do: Prometheus has them in a path's last element only. A file
// that is not there is none.
func (m *maker) rules() []any {
	var files []any
	for _, name := range slices.Sorted(maps.Keys(m.Services)) {
		files = append(files, filepath.ToSlash(filepath.Join(m.Root, spec.ServicesDir, name, "deploy", "observability", "rules.yaml")))
	}
	return files
}

func (m *maker) prometheus() (Part, error) {
	data := filepath.Join(m.folder("prometheus"), "data")
	address := at(m.Ports.Prometheus)
	return Part{
		Args: []string{
			"--config.file=" + m.config("prometheus"), "--storage.tsdb.path=" + data, "--storage.tsdb.retention.time=1d",
			"--enable-feature=exemplar-storage", "--web.listen-address=" + address, "--log.level=warn",
		},
		URL: "http://" + address, Ready: "http://" + address + "/-/ready",
	}, m.rewrite("prometheus", m.scrape)
}

func (m *maker) alertmanager() (Part, error) {
	address := at(m.Ports.Alertmanager)
	return Part{
		Args: []string{
			"--config.file=" + m.config("alertmanager"), "--storage.path=" + filepath.Join(m.folder("alertmanager"), "data"),
			"--cluster.listen-address=", "--web.listen-address=" + address, "--log.level=warn",
		},
		URL: "http://" + address, Ready: "http://" + address + "/-/ready",
	}, m.rewrite("alertmanager", func(map[string]any) error { return nil })
}

func (m *maker) jaeger() (Part, error) {
	return Part{
		Args: []string{"--config=" + m.config("jaeger")},
		Env:  []string{"TRACES_SHARE=100", "TRACES_DECISION_WAIT=2s"}, // here, every trace is worth a look, and soon
		URL:  "http://" + at(m.Ports.Jaeger), Ready: "http://" + at(m.Ports.Inner[health]) + "/status",
	}, m.rewrite("jaeger", m.collect)
}

func (m *maker) loki() (Part, error) {
	address := at(m.Ports.Loki)
	return Part{
		Args: []string{"-config.file=" + m.config("loki")},
		URL:  "http://" + address, Ready: "http://" + address + "/ready",
	}, m.rewrite("loki", m.keep)
}

// below moves texts that are paths under one folder to another.
func below(value any, from, to string) any {
	switch v := value.(type) {
	case string:
		if v == from || strings.HasPrefix(v, from+"/") {
			return to + strings.TrimPrefix(v, from)
		}
	case map[string]any:
		for key, member := range v {
			v[key] = below(member, from, to)
		}
	case []any:
		for i := range v {
			v[i] = below(v[i], from, to)
		}
	}
	return value
}

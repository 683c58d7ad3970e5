//go:build real

package observe

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/local/watch"
	"github.com/trellis-mesh/trellis/internal/port"
	"github.com/trellis-mesh/trellis/test/real"
)

// server is one of those that watch the shop.
type server struct {
	watch.Part

	dir string // with config.yaml and, for Prometheus, data
}

func (s server) config() string { return filepath.Join(s.dir, "config.yaml") }

// run starts it as it would be for a developer, but for the environment: what a cluster has by default is what is proven.
func (s server) run(t *testing.T) {
	t.Helper()
	real.Run(t, real.Program{Name: s.Name, Path: s.Binary, Args: s.Args, Ready: s.Ready})
}

// servers writes the configurations of all that watch services, by name of the service, in a new folder.
func (w *watched) servers(t *testing.T, services map[string]string) map[string]server {
	t.Helper()
	dir := t.TempDir()
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	parts, missing, err := watch.Make(watch.Options{Root: absolute, Dir: dir, Services: services, Versions: w.model.Platform.Versions, Ports: w.ports})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range missing {
		t.Errorf("%s is not installed: run .ci/setup", m.Name)
	}
	if t.Failed() {
		t.FailNow()
	}
	all := map[string]server{}
	for _, p := range parts {
		all[p.Name] = server{p, filepath.Join(dir, p.Name)}
	}
	return all
}

// startCollectors starts what the services send to, and Alertmanager.
func (w *watched) startCollectors(t *testing.T) {
	t.Helper()
	free, err := port.Free(11)
	if err != nil {
		t.Fatal(err)
	}
	w.ports = watch.Ports{Prometheus: free[0], Alertmanager: free[1], Jaeger: free[2], Loki: free[3], OTLP: free[4], Inner: [6]int(free[5:])}
	all := w.servers(t, nil)
	w.loki, w.jaeger, w.alertmanager = all["loki"], all["jaeger"], all["alertmanager"]
	for _, s := range []server{w.loki, w.jaeger, w.alertmanager} {
		s.run(t)
	}
}

// startPrometheus starts a Prometheus that looks once in a second, after prepare has changed what it likes.
func (w *watched) startPrometheus(t *testing.T, prepare func(s server, config map[string]any)) server {
	t.Helper()
	services := map[string]string{}
	for _, s := range w.model.Services {
		services[s.Name] = strings.TrimPrefix(w.Service(s.Name).Admin, "http://")
	}
	s := w.servers(t, services)["prometheus"]
	amend(t, s.config(), func(config map[string]any) {
		global := config["global"].(map[string]any)
		global["scrape_interval"], global["scrape_timeout"], global["evaluation_interval"] = "1s", "1s", "1s"
		prepare(s, config)
	})
	s.run(t)
	return s
}

// everySecond has a Prometheus follow also those rules each second that are of what changes in months.
func everySecond(t *testing.T) func(s server, config map[string]any) {
	return func(s server, config map[string]any) {
		files := config["rule_files"].([]any)
		for i := range files {
			text, err := os.ReadFile(files[i].(string))
			if err != nil {
				t.Fatal(err)
			}
			files[i] = filepath.Join(s.dir, fmt.Sprintf("rules-%d.yaml", i))
			if err := os.WriteFile(files[i].(string), bytes.ReplaceAll(text, []byte("interval: 1m\n"), []byte("interval: 1s\n")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

package watch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/local/watch"
)

// root is this platform, whose configuration is that of a cluster.
const root = "../../.."

var ports = watch.Ports{Prometheus: 1004, Alertmanager: 1005, Jaeger: 1006, Loki: 1007, OTLP: 1008, Inner: [6]int{1010, 1011, 1012, 1013, 1014, 1015}}

// installed makes a machine on which these programs are, and no others.
func installed(t *testing.T, names ...string) {
	t.Helper()
	bin := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
}

// made is what a machine with these programs would run, and each part's configuration.
func made(t *testing.T, names ...string) (parts []string, missing []string, configs map[string]map[string]any, texts map[string]string) {
	t.Helper()
	installed(t, names...)
	dir := t.TempDir()
	all, none, err := watch.Make(watch.Options{Root: root, Dir: dir, Services: map[string]string{"orders": "127.0.0.1:1021", "catalog": "127.0.0.1:1023"}, Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range none {
		if m.Remedy == "" {
			t.Errorf("nothing says how to get %s", m.Name)
		}
		missing = append(missing, m.Name)
	}
	configs, texts = map[string]map[string]any{}, map[string]string{}
	for _, part := range all {
		parts = append(parts, part.Name+" "+part.URL)
		text, err := os.ReadFile(filepath.Join(dir, part.Name, "config.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err := yaml.Unmarshal(text, &config); err != nil {
			t.Fatal(err)
		}
		configs[part.Name], texts[part.Name] = config, string(text)
	}
	return parts, missing, configs, texts
}

func TestPartsAreThoseThatAreInstalled(t *testing.T) {
	parts, missing, configs, texts := made(t, "prometheus", "prometheus-alertmanager", "jaeger", "loki")
	want := []string{"prometheus http://127.0.0.1:1004", "alertmanager http://127.0.0.1:1005", "jaeger http://127.0.0.1:1006", "loki http://127.0.0.1:1007"}
	if diff := cmp.Diff(want, parts); diff != "" || len(missing) > 0 {
		t.Errorf("missing %v, parts (-want +got):\n%s", missing, diff)
	}
	for name, text := range texts {
		for _, elsewhere := range []string{"svc.cluster.local", "0.0.0.0", "istio", "kubernetes"} {
			if strings.Contains(text, elsewhere) {
				t.Errorf("%s's configuration speaks of %s:\n%s", name, elsewhere, text)
			}
		}
	}
	for _, want := range []string{"tail_sampling", "http://127.0.0.1:1007/otlp", "127.0.0.1:1008"} {
		if !strings.Contains(texts["jaeger"], want) {
			t.Errorf("Jaeger's configuration does not have %s", want)
		}
	}
	if !strings.Contains(texts["prometheus"], "127.0.0.1:1005") {
		t.Error("Prometheus tells no Alertmanager")
	}
	if rules := configs["prometheus"]["rule_files"]; !strings.Contains(fmt.Sprint(rules), "services/catalog/deploy/observability/rules.yaml") {
		t.Errorf("Prometheus follows the rules of %v", rules)
	}
	wantTargets := map[string][]string{
		"services": {"catalog 127.0.0.1:1023", "orders 127.0.0.1:1021"}, "collector": {"collector 127.0.0.1:1013", "collector 127.0.0.1:1014"},
		"watchers": {"alertmanager 127.0.0.1:1005", "loki 127.0.0.1:1007"}, "prometheus": {"prometheus 127.0.0.1:1004"},
	}
	if diff := cmp.Diff(wantTargets, targets(t, configs["prometheus"])); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func targets(t *testing.T, config map[string]any) map[string][]string {
	t.Helper()
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var decoded struct {
		Jobs []struct {
			Name   string `yaml:"job_name"`
			Static []struct {
				Targets []string
				Labels  map[string]string
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, job := range decoded.Jobs {
		for _, s := range job.Static {
			all[job.Name] = append(all[job.Name], s.Labels["service"]+" "+s.Targets[0])
		}
	}
	return all
}

func TestWhatIsMissingIsNotSpokenTo(t *testing.T) {
	parts, missing, configs, texts := made(t, "prometheus", "jaeger")
	if diff := cmp.Diff([]string{"alertmanager", "loki"}, missing); diff != "" || len(parts) != 2 {
		t.Errorf("parts %v, missing (-want +got):\n%s", parts, diff)
	}
	if _, told := configs["prometheus"]["alerting"]; told || len(targets(t, configs["prometheus"])["watchers"]) > 0 {
		t.Error("Prometheus speaks with what is not there")
	}
	var jaeger struct {
		Service struct {
			Pipelines map[string]struct{ Exporters []string }
		}
	}
	if err := yaml.Unmarshal([]byte(texts["jaeger"]), &jaeger); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"nop"}, jaeger.Service.Pipelines["logs"].Exporters); diff != "" {
		t.Errorf("logs go (-want +got):\n%s", diff)
	}
}

func TestConfigurationThatCannotBeMovedIsRefused(t *testing.T) {
	installed(t, "jaeger")
	for name, text := range map[string]string{"no exporter": "receivers: {}\n", "no YAML": ":\n-"} {
		other := t.TempDir()
		if err := os.MkdirAll(filepath.Join(other, "observability", "jaeger"), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(other, "observability", "jaeger", "config.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := watch.Make(watch.Options{Root: other, Dir: t.TempDir(), Ports: ports})
		if err == nil || !strings.Contains(err.Error(), "config.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := watch.Make(watch.Options{Root: t.TempDir(), Dir: t.TempDir(), Ports: ports}); err == nil || !strings.Contains(err.Error(), "scaffold sync") {
		t.Errorf("nothing says how to make what is missing: %v", err)
	}
}

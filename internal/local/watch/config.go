package watch

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// config is where a part's own copy of its configuration is.
func (m *maker) config(name string) string { return filepath.Join(m.folder(name), "config.yaml") }

// rewrite copies a configuration of observability/, changed.
func (m *maker) rewrite(name string, change func(map[string]any) error) error {
	source := filepath.Join(m.Root, "observability", name, "config.yaml")
	text, err := os.ReadFile(source)
	if err != nil {
		return fmt.Errorf("%w: make it with `scaffold sync`", err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	if err := change(config); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	if text, err = yaml.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(m.config(name), text, 0o600)
}

// setting is a place in a configuration and what is put there.
type setting struct {
	path  string // keys with dots between them
	value any
}

// set puts the values into places that the configuration must have, since it would otherwise be another one than we think.
func set(config map[string]any, all ...setting) error {
	for _, s := range all {
		keys := strings.Split(s.path, ".")
		in := config
		for _, key := range keys[:len(keys)-1] {
			next, ok := in[key].(map[string]any)
			if !ok {
				return fmt.Errorf("there is no %s, so that its address cannot be moved to this machine: bring it back", s.path)
			}
			in = next
		}
		in[keys[len(keys)-1]] = s.value
	}
	return nil
}

// collect is Jaeger's configuration, which tells Loki of the logs where there is one.
func (m *maker) collect(config map[string]any) error {
	inner := m.Ports.Inner
	err := set(config,
		setting{"receivers.otlp.protocols.grpc.endpoint", at(inner[otlpGRPC])},
		setting{"receivers.otlp.protocols.http.endpoint", at(m.Ports.OTLP)},
		setting{"exporters.prometheus.endpoint", at(inner[spanMetrics])},
		setting{"extensions.healthcheckv2.http.endpoint", at(inner[health])},
		setting{"extensions.jaeger_query.http.endpoint", at(m.Ports.Jaeger)},
		setting{"extensions.jaeger_query.grpc.endpoint", at(inner[query])},
		setting{"exporters.otlphttp/loki.endpoint", "http://" + at(m.Ports.Loki) + "/otlp"},
		setting{"service.telemetry.metrics.readers", []any{map[string]any{"pull": map[string]any{"exporter": map[string]any{
			"prometheus": map[string]any{"host": "127.0.0.1", "port": inner[collectorMetrics]},
		}}}}},
	)
	if err != nil || m.reachable("loki") {
		return err
	}
	return set(config, setting{"exporters.nop", map[string]any{}}, setting{"service.pipelines.logs.exporters", []any{"nop"}})
}

// keep is Loki's configuration.
func (m *maker) keep(config map[string]any) error {
	below(config, "/loki", filepath.ToSlash(filepath.Join(m.folder("loki"), "data")))
	return set(config,
		setting{"server.http_listen_address", "127.0.0.1"}, setting{"server.http_listen_port", m.Ports.Loki},
		setting{"server.grpc_listen_port", m.Ports.Inner[lokiGRPC]},
		setting{"ingester.lifecycler", map[string]any{"min_ready_duration": "0s"}}, // nobody else is there to be waited for
	)
}

// scrape is Prometheus's configuration: what it finds in a cluster among the pods is listed here, and the mesh has no part in it.
func (m *maker) scrape(config map[string]any) error {
	inner := m.Ports.Inner
	targets := map[string][]any{}
	for _, name := range slices.Sorted(maps.Keys(m.Services)) {
		targets["services"] = append(targets["services"], target(name, m.Services[name]))
	}
	if m.reachable("jaeger") {
		targets["collector"] = []any{target("collector", at(inner[collectorMetrics])), target("collector", at(inner[spanMetrics]))}
	}
	if m.reachable("alertmanager") {
		targets["watchers"] = append(targets["watchers"], target("alertmanager", at(m.Ports.Alertmanager)))
	}
	if m.reachable("loki") {
		targets["watchers"] = append(targets["watchers"], target("loki", at(m.Ports.Loki)))
	}
	targets["prometheus"] = []any{target("prometheus", at(m.Ports.Prometheus))}

	jobs, ok := config["scrape_configs"].([]any)
	if !ok {
		return fmt.Errorf("there are no scrape_configs: bring them back")
	}
	var kept []any
	for _, job := range jobs {
		job, ok := job.(map[string]any)
		if !ok {
			continue
		}
		name, _ := job["job_name"].(string)
		if len(targets[name]) == 0 { // sidecars and the like, which are not here
			continue
		}
		for _, key := range []string{"scheme", "tls_config", "kubernetes_sd_configs", "relabel_configs"} {
			delete(job, key)
		}
		job["static_configs"] = targets[name]
		kept = append(kept, job)
	}
	config["scrape_configs"] = kept
	config["rule_files"] = m.rules()
	delete(config, "alerting")
	if m.reachable("alertmanager") {
		config["alerting"] = map[string]any{"alertmanagers": []any{map[string]any{"static_configs": []any{map[string]any{"targets": []any{at(m.Ports.Alertmanager)}}}}}}
	}
	return nil
}

// target has the labels that a pod's would have.
func target(service, address string) map[string]any {
	return map[string]any{"targets": []any{address}, "labels": map[string]any{"service": service, "version": "v1", "namespace": "local", "pod": service}}
}

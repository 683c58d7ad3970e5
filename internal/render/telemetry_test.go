package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestProductionsTelemetryDecidesAsALaptops has the policies of tail sampling, and all that comes before it, be the same in production,
// where collectors and Jaeger have configurations of their own.
func TestProductionsTelemetryDecidesAsALaptops(t *testing.T) {
	p := newPlatform(t)
	files, err := p.r.Platform(p.model(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p.put(files)
	const component = "mesh/environments/production/components/observability/"
	read := func(path string) any {
		var config any
		if err := yaml.Unmarshal([]byte(p.read(path)), &config); err != nil {
			t.Fatal(err)
		}
		return config
	}
	laptop, collector, jaeger := read("observability/jaeger/config.yaml"), read(component+"collector/config.yaml"), read(component+"jaeger/config.yaml")
	for _, same := range []struct {
		of    any
		paths string
	}{
		{collector, "receivers/otlp processors/memory_limiter processors/filter connectors/spanmetrics exporters/prometheus exporters/otlphttp~loki service/pipelines/traces~in " +
			"service/pipelines/metrics~spans service/pipelines/logs"},
		{jaeger, "processors/memory_limiter processors/tail_sampling/decision_wait processors/tail_sampling/policies extensions/healthcheckv2"},
	} {
		for path := range strings.FieldsSeq(same.paths) {
			var keys []any
			for key := range strings.SplitSeq(path, "/") {
				keys = append(keys, strings.ReplaceAll(key, "~", "/"))
			}
			want := at(t, laptop, keys...)
			if want == nil {
				t.Fatalf("a laptop has no %s", path)
			}
			if diff := cmp.Diff(want, at(t, same.of, keys...)); diff != "" {
				t.Errorf("%s (-laptop +production):\n%s", path, diff)
			}
		}
	}
	topic := at(t, collector, "exporters", "kafka", "traces", "topic")
	if read := at(t, jaeger, "receivers", "kafka", "traces", "topic"); topic == nil || read != topic {
		t.Errorf("collectors write to %v, and Jaeger reads %v", topic, read)
	}
	if made := at(t, yamlOf(t, p.read(component+"kafka.yaml")), "spec", "topicName"); made != topic {
		t.Errorf("collectors write to %v, and %v is made", topic, made)
	}
}

// yamlOf reads the first document of a file.
func yamlOf(t *testing.T, text string) (value any) {
	t.Helper()
	if err := yaml.NewDecoder(strings.NewReader(text)).Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

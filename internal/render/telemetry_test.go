package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	kresource "k8s.io/apimachinery/pkg/api/resource"
)

// component is what becomes of observability/ in production.
const component = "mesh/environments/production/components/observability/"

// newTelemetry is a platform with what watches it.
func newTelemetry(t *testing.T) *platform {
	t.Helper()
	p := newPlatform(t)
	files, err := p.r.Platform(p.model(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p.put(files)
	return p
}

// TestProductionsTelemetryDecidesAsALaptops has the policies of tail sampling, and all that comes before it, be the same in production,
// where collectors and Jaeger have configurations of their own.
func TestProductionsTelemetryDecidesAsALaptops(t *testing.T) {
	p := newTelemetry(t)
	read := func(path string) any { return yamlOf(t, p.read(path)) }
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
	if consumed := at(t, jaeger, "receivers", "kafka", "traces", "topic"); topic == nil || consumed != topic {
		t.Errorf("collectors write to %v, and Jaeger reads %v", topic, consumed)
	}
	if made := at(t, read(component+"topic.yaml"), "spec", "topicName"); made != topic {
		t.Errorf("collectors write to %v, and %v is made", topic, made)
	}
}

// TestJaegerFreesMemoryBeforeItRefusesSpans has Go collect its garbage more often before the memory limiter's soft limit is reached: else
// garbage alone would have spans refused.
func TestJaegerFreesMemoryBeforeItRefusesSpans(t *testing.T) {
	p := newTelemetry(t)
	for _, test := range []struct{ workload, config string }{
		{"observability/jaeger/jaeger.yaml", "observability/jaeger/config.yaml"},
		{component + "collector.yaml", component + "collector/config.yaml"},
		{component + "jaeger.yaml", component + "jaeger/config.yaml"},
	} {
		limiter := at(t, yamlOf(t, p.read(test.config)), "processors", "memory_limiter")
		hard, _ := at(t, limiter, "limit_percentage").(int)
		spike, _ := at(t, limiter, "spike_limit_percentage").(int)
		often, pods := memoryOf(t, p.read(test.workload))
		if soft := pods * int64(hard-spike) / 100; often <= 0 || often >= soft {
			t.Errorf("%s: GOMEMLIMIT is %d bytes, want less than the memory limiter's %d", test.workload, often, soft)
		}
	}
}

// memoryOf gives what the only container of a file's only workload has Go stay below, and what it may have.
func memoryOf(t *testing.T, text string) (limit, pods int64) {
	t.Helper()
	for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
		var object struct {
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env       []struct{ Name, Value string }
							Resources struct{ Limits struct{ Memory string } }
						}
					}
				}
			}
		}
		if err := decoder.Decode(&object); err != nil {
			t.Fatalf("there is no container: %v", err)
		}
		for _, c := range object.Spec.Template.Spec.Containers {
			for _, e := range c.Env {
				if e.Name == "GOMEMLIMIT" {
					limit = bytesOf(t, strings.TrimSuffix(e.Value, "B"))
				}
			}
			return limit, bytesOf(t, c.Resources.Limits.Memory)
		}
	}
}

func bytesOf(t *testing.T, amount string) int64 {
	t.Helper()
	quantity, err := kresource.ParseQuantity(amount)
	if err != nil {
		t.Fatalf("%q: %v", amount, err)
	}
	return quantity.Value()
}

// yamlOf reads the first document of a file.
func yamlOf(t *testing.T, text string) (value any) {
	t.Helper()
	if err := yaml.NewDecoder(strings.NewReader(text)).Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

//go:build real

package observe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"

	"github.com/trellis-mesh/trellis/internal/local/watch"
	"github.com/trellis-mesh/trellis/internal/port"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/topic"
	"github.com/trellis-mesh/trellis/test/real"
)

// production is what becomes of observability/ there.
const production = root + "/mesh/environments/production/components/observability"

// passage is what production has between the services and Jaeger's store, on this machine.
type passage struct {
	broker     *real.Broker
	topic      string
	collectors []collector
	loki       chan string    // the paths that it was asked for
	program    real.Program   // Jaeger
	places     map[string]any // of Jaeger's configuration
	jaeger     *watched       // as far as its Jaeger goes
	metrics    string         // Jaeger's
}

// collector is one of several that are alike.
type collector struct{ otlp, spanMetrics string }

func newPassage(t *testing.T) *passage {
	t.Helper()
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	binary := (&watched{model: model}).servers(t, nil)["jaeger"].Binary
	p := &passage{broker: real.NewKafka(t), topic: declaredTopic(t), loki: make(chan string, 10)}
	if err := topic.Create(t.Context(), p.broker.Brokers(), nil, []string{p.topic}); err != nil {
		t.Fatal(err)
	}
	loki := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { p.loki <- r.URL.Path }))
	t.Cleanup(loki.Close)
	for i := range 2 {
		p.startCollector(t, binary, fmt.Sprintf("collector-%d", i), loki.URL)
	}
	p.chooseJaeger(t, binary)
	return p
}

// declaredTopic is the topic that the component makes, which both of its configurations must name.
func declaredTopic(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(production, "topic.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Kind string
		Spec struct {
			Topic string `yaml:"topicName"`
		}
	}
	if err := yaml.Unmarshal(text, &object); err != nil || object.Kind != "KafkaTopic" || object.Spec.Topic == "" {
		t.Fatalf("topic.yaml declares no topic: %v, %+v", err, object)
	}
	return object.Spec.Topic
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// startCollector starts one of the component's configuration.
func (p *passage) startCollector(t *testing.T, binary, name, loki string) {
	t.Helper()
	free := ports(t, 5)
	file := moved(t, "collector/config.yaml", map[string]any{
		"receivers.otlp.protocols.grpc.endpoint": loopback(free[0]),
		"receivers.otlp.protocols.http.endpoint": loopback(free[1]),
		"extensions.healthcheckv2.http.endpoint": loopback(free[2]),
		"service.telemetry.metrics.readers":      reader(free[3]),
		"exporters.prometheus.endpoint":          loopback(free[4]),
		"exporters.kafka.brokers":                p.broker.Brokers(),
		"exporters.otlphttp/loki.endpoint":       loki + "/otlp",
	})
	real.Run(t, real.Program{Name: name, Path: binary, Args: []string{"--config=" + file}, Ready: "http://" + loopback(free[2]) + "/status"})
	p.collectors = append(p.collectors, collector{"http://" + loopback(free[1]), "http://" + loopback(free[4]) + "/metrics"})
}

// chooseJaeger says where Jaeger listens, and which disk it has, whenever it is started.
func (p *passage) chooseJaeger(t *testing.T, binary string) {
	t.Helper()
	free, disk := ports(t, 4), t.TempDir()
	p.places = map[string]any{
		"receivers.kafka.brokers":                                           p.broker.Brokers(),
		"extensions.healthcheckv2.http.endpoint":                            loopback(free[0]),
		"extensions.jaeger_query.http.endpoint":                             loopback(free[1]),
		"extensions.jaeger_query.grpc.endpoint":                             loopback(free[2]),
		"service.telemetry.metrics.readers":                                 reader(free[3]),
		"extensions.jaeger_storage.backends.disk.badger.directories.keys":   filepath.Join(disk, "keys"),
		"extensions.jaeger_storage.backends.disk.badger.directories.values": filepath.Join(disk, "values"),
	}
	p.program = real.Program{Name: "jaeger", Path: binary, Ready: "http://" + loopback(free[0]) + "/status"}
	p.jaeger = &watched{jaeger: server{Part: watch.Part{URL: "http://" + loopback(free[1])}}}
	p.metrics = "http://" + loopback(free[3]) + "/metrics"
}

// startJaeger starts one that keeps a share of the traces that need not be kept, in percent; it is killed when the test ends.
func (p *passage) startJaeger(t *testing.T, share int) {
	t.Helper()
	program := p.program
	program.Args = []string{"--config=" + moved(t, "jaeger/config.yaml", p.places)}
	// On a busy machine, one collector may be seconds behind the other.
	program.Env = []string{fmt.Sprintf("TRACES_SHARE=%d", share), "TRACES_DECISION_WAIT=10s"}
	real.Run(t, program)
}

func ports(t *testing.T, n int) []int {
	t.Helper()
	free, err := port.Free(n)
	if err != nil {
		t.Fatal(err)
	}
	return free
}

// reader is where a collector tells of itself.
func reader(port int) []any {
	return []any{map[string]any{"pull": map[string]any{"exporter": map[string]any{"prometheus": map[string]any{"host": "127.0.0.1", "port": port}}}}}
}

// moved copies a configuration of the component with other values at some places, which it must have.
func moved(t *testing.T, name string, values map[string]any) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(production, name))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	amend(t, file, func(config map[string]any) {
		for path, value := range values {
			keys := strings.Split(path, ".")
			in, last := config, keys[len(keys)-1]
			for _, key := range keys[:len(keys)-1] {
				in, _ = in[key].(map[string]any)
			}
			if _, has := in[last]; !has {
				t.Fatalf("%s has no %s", name, path)
			}
			in[last] = value
		}
	})
	return file
}

// post sends spans of the service orders to a collector, and one of a probe, which nobody wants.
func (p *passage) post(t *testing.T, collector int, spans ...any) {
	t.Helper()
	now := fmt.Sprint(time.Now().UnixNano())
	probe := map[string]any{
		"traceId": strings.Repeat("ab", 16), "spanId": strings.Repeat("cd", 8), "name": "GET", "kind": 2, "startTimeUnixNano": now, "endTimeUnixNano": now,
		"attributes": []any{map[string]any{"key": "url.path", "value": map[string]any{"stringValue": "/health/live"}}},
	}
	resource := map[string]any{"attributes": []any{map[string]any{"key": "service.name", "value": map[string]any{"stringValue": "orders"}}}}
	p.export(t, collector, "/v1/traces", map[string]any{"resourceSpans": []any{map[string]any{
		"resource": resource, "scopeSpans": []any{map[string]any{"spans": append(spans, probe)}},
	}}})
}

// export sends OTLP in JSON to a collector.
func (p *passage) export(t *testing.T, collector int, path string, content any) {
	t.Helper()
	body, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.collectors[collector].otlp+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s of collector %d: %s", path, collector, resp.Status)
	}
}

// inKafka gives how many spans of each trace are in each partition, and of all. A record's key is its trace.
func (p *passage) inKafka(ctx context.Context) (traces map[string]map[int]int, spans int, err error) {
	traces = map[string]map[int]int{}
	for partition := range topic.Partitions {
		messages, err := p.messages(ctx, partition)
		if err != nil {
			return nil, 0, err
		}
		for _, m := range messages {
			var data tracev1.TracesData
			if err := proto.Unmarshal(m.Value, &data); err != nil {
				return nil, 0, err
			}
			key, n := string(m.Key), 0
			for _, resource := range data.ResourceSpans {
				for _, scope := range resource.ScopeSpans {
					n += len(scope.Spans)
					for _, span := range scope.Spans {
						if id := fmt.Sprintf("%x", span.TraceId); id != key {
							return nil, 0, fmt.Errorf("a record of %q has a span of %s", key, id)
						}
					}
				}
			}
			if traces[key] == nil {
				traces[key] = map[int]int{}
			}
			traces[key][partition] += n
			spans += n
		}
	}
	return traces, spans, nil
}

// messages are those of a partition by now.
func (p *passage) messages(ctx context.Context, partition int) (all []kafka.Message, err error) {
	conn, err := kafka.DialLeader(ctx, "tcp", p.broker.Brokers()[0], p.topic, partition)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	next, end, err := conn.ReadOffsets()
	if err != nil {
		return nil, err
	}
	for next < end {
		if _, err := conn.Seek(next, kafka.SeekAbsolute); err != nil {
			return nil, err
		}
		m, err := conn.ReadMessage(1 << 20)
		if err != nil {
			return nil, err
		}
		all, next = append(all, m), m.Offset+1
	}
	return all, nil
}

// total adds up the samples of a metric that have a label, as a server gives them to Prometheus.
func total(ctx context.Context, address, name, label string) (sum float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, name+"{") || !strings.Contains(line, label) {
			continue
		}
		n, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, lines.Err()
}

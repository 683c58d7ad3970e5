package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collect is an OTLP collector that keeps the names of the spans it gets.
func collect(t *testing.T) (endpoint string, spans <-chan string) {
	t.Helper()
	got := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		text, _ := io.ReadAll(body)
		var request collector.ExportTraceServiceRequest
		if r.URL.Path == "/v1/logs" {
			return
		}
		if err := proto.Unmarshal(text, &request); err != nil || r.URL.Path != "/v1/traces" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, resource := range request.ResourceSpans {
			for _, attribute := range resource.Resource.Attributes {
				got <- attribute.Key + "=" + attribute.Value.GetStringValue()
			}
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					got <- span.Name
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func TestShutdownExportsWhatIsHeld(t *testing.T) {
	endpoint, spans := collect(t)
	tel, err := New(t.Context(), Options{Service: "orders", Version: "1.2", Environment: "test", Instance: "pod-1", Endpoint: endpoint, Ratio: 1, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer("x").Start(t.Context(), "own")
	span.End()
	_, span = tel.Entry().Tracer("x").Start(t.Context(), "entry")
	span.End()
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(spans) > 0 {
		seen[<-spans] = true
	}
	for _, want := range []string{"own", "entry", "service.name=orders", "service.version=1.2", "service.instance.id=pod-1", "deployment.environment.name=test"} {
		if !seen[want] {
			t.Errorf("%s is missing from %v", want, seen)
		}
	}
}

func TestSpansOnlySendsNoRecords(t *testing.T) {
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer server.Close()
	out := new(bytes.Buffer)
	tel, err := New(t.Context(), Options{Service: "greeter", Endpoint: server.URL, SpansOnly: true, Ratio: 1, Output: out})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracing.Tracer("test").Start(t.Context(), "work")
	tel.Log.Info("hello")
	span.End()
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(asked)
	var got []string
	for path := range asked {
		got = append(got, path)
	}
	if !slices.Equal(got, []string{"/v1/traces"}) || !strings.Contains(out.String(), "hello") {
		t.Errorf("the collector was asked %q, and the output is %q", got, out)
	}
}

func TestCollectorAwayDoesNotStopAProgram(t *testing.T) {
	tel, err := New(t.Context(), Options{Service: "orders", Endpoint: "http://127.0.0.1:1", Ratio: 1, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer("x").Start(t.Context(), "lost")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := tel.Shutdown(ctx); err == nil {
		t.Error("the loss is not reported")
	}
}

func TestCallersDecisionIsFollowed(t *testing.T) {
	for _, caller := range []bool{true, false} {
		for _, ratio := range []float64{0, 1} {
			exporter := tracetest.NewInMemoryExporter()
			tel, err := New(t.Context(), Options{Service: "orders", Exporter: exporter, Ratio: ratio, Output: io.Discard})
			if err != nil {
				t.Fatal(err)
			}
			flags := trace.TraceFlags(0).WithSampled(caller)
			parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true})
			_, span := tel.Tracer("x").Start(trace.ContextWithRemoteSpanContext(t.Context(), parent), "x")
			if got := span.SpanContext().IsSampled(); got != caller {
				t.Errorf("ratio %v: sampled %v, the caller said %v", ratio, got, caller)
			}
			if err := tel.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestWithoutACollectorIDsStillPass(t *testing.T) {
	tel, err := New(t.Context(), Options{Service: "orders", Ratio: 1, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := tel.Tracer("x").Start(t.Context(), "x")
	if span.IsRecording() || !span.SpanContext().IsValid() || tel.Sample(0) {
		t.Error("a span is recorded for nobody, or has no id")
	}
	carrier := propagation.MapCarrier{}
	tel.Propagator.Inject(ctx, carrier)
	if !strings.Contains(carrier["traceparent"], TraceID(ctx)) {
		t.Errorf("carrier %v", carrier)
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSampleHasTheRatio(t *testing.T) {
	for ratio, want := range map[float64][3]bool{0: {}, 0.5: {true, false, false}, 1: {true, true, true}} {
		tel := &Telemetry{ratio: ratio}
		if got := [3]bool{tel.Sample(1), tel.Sample(1 << 63), tel.Sample(math.MaxUint64)}; got != want {
			t.Errorf("ratio %v: %v, want %v", ratio, got, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, opt := range []Options{{}, {Service: "x", Ratio: 2}, {Service: "x", Ratio: -1}, {Service: "x", Endpoint: "collector:4317"}, {Service: "x", Endpoint: "://"}} {
		if _, err := New(t.Context(), opt); err == nil {
			t.Errorf("%+v was taken", opt)
		}
	}
}

func TestSignalURL(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://c:4318":              "http://c:4318/v1/traces",
		"http://c:4318/":             "http://c:4318/v1/traces",
		"https://c/otlp":             "https://c/otlp/v1/traces",
		"https://c/otlp/v1/traces":   "https://c/otlp/v1/traces",
		"http://127.0.0.1:1/?tenant": "http://127.0.0.1:1/v1/traces?tenant",
	} {
		if got, err := signalURL(endpoint, "traces"); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", endpoint, got, err, want)
		}
	}
}

// exemplars observes and counts, and gives the trace ids of the exemplars that are left: of the histogram and of the counter.
func exemplars(t *testing.T, observe func(h prometheus.Histogram, c prometheus.Counter)) (ids [2]string) {
	t.Helper()
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Buckets: []float64{1}})
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "c"})
	observe(histogram, counter)
	var h, c dto.Metric
	if err := errors.Join(histogram.Write(&h), counter.Write(&c)); err != nil {
		t.Fatal(err)
	}
	for i, e := range []*dto.Exemplar{h.Histogram.Bucket[0].Exemplar, c.Counter.Exemplar} {
		for _, label := range e.GetLabel() {
			if label.GetName() == "trace_id" {
				ids[i] = label.GetValue()
			}
		}
	}
	return ids
}

func TestExemplarsOnlyForRecordedTraces(t *testing.T) {
	sampled := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled}))
	recorded, span := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "work")
	id := span.SpanContext().TraceID().String()
	for name, tt := range map[string]struct {
		ctx  context.Context
		want [2]string
	}{"recorded": {recorded, [2]string{id, id}}, "recorded elsewhere": {sampled, [2]string{}}, "not recorded": {traced, [2]string{}}, "no trace": {t.Context(), [2]string{}}} {
		got := exemplars(t, func(h prometheus.Histogram, c prometheus.Counter) {
			Observe(tt.ctx, h, 0.5)
			Count(tt.ctx, c, 2)
		})
		if got != tt.want {
			t.Errorf("%s: exemplars of %v, want %v", name, got, tt.want)
		}
	}
}

func TestExemplarsAreFewAndTheirSpansSaySo(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test")
	run := func(observe func(ctx context.Context)) string {
		ctx, span := tracer.Start(t.Context(), "work")
		observe(ctx)
		span.End()
		return span.SpanContext().TraceID().String()
	}
	var first, third string
	got := exemplars(t, func(h prometheus.Histogram, c prometheus.Counter) {
		first = run(func(ctx context.Context) { Observe(ctx, h, 0.1); Count(ctx, c, 1) })
		run(func(ctx context.Context) { Observe(ctx, h, 0.1); Count(ctx, c, 1) })
		third = run(func(ctx context.Context) { ObserveKept(ctx, h, 0.1) })
	})
	if want := [2]string{third, first}; got != want {
		t.Errorf("exemplars of %v, want %v", got, want)
	}
	for i, want := range []bool{true, false, false} {
		if marked := slices.Contains(spans.GetSpans()[i].Attributes, Exemplar.Bool(true)); marked != want {
			t.Errorf("span %d says of an exemplar: %v, want %v", i, marked, want)
		}
	}
}

func TestThePaceOfExemplars(t *testing.T) {
	var p pace
	now := time.Unix(1e9, 0)
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {exemplarEvery - 1, false}, {1, true}, {0, false}} {
		if now = now.Add(step.after); p.next(now) != step.want {
			t.Errorf("step %d: want %v", i, step.want)
		}
	}
}

func TestRegistryKnowsTheBuildAndTheRuntime(t *testing.T) {
	tel, err := New(t.Context(), Options{Service: "orders", Version: "1.2", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, family := range families {
		names[family.GetName()] = true
	}
	for _, want := range []string{"build_info", "go_goroutines", "process_resident_memory_bytes"} {
		if !names[want] {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestLogNamesTheService(t *testing.T) {
	var out bytes.Buffer
	tel, err := New(t.Context(), Options{Service: "orders", Output: &out, Level: slog.LevelWarn, LogDelay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	tel.Log.Info("not yet")
	tel.Level.Set(slog.LevelInfo)
	tel.Log.Info("now")
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if line := decodeLine(t, out.Bytes()); line["service"] != "orders" || line["msg"] != "now" {
		t.Errorf("log %s", out.String())
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "4bf92f3577b34da6a3ce929d0e0e4736": true, "Root=1-5759e988-bd862e3fe1be46a994272793": true, strings.Repeat("x", 128): true,
		"": false, "a b": false, "a\nb": false, "a\"b": false, "é": false, "<script>": false, strings.Repeat("x", 129): false,
	} {
		if got := ValidID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

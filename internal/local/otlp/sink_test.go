package otlp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/internal/local/otlp"
)

// provider is a service's own SDK, exporting to the sink at each flush.
func provider(t *testing.T, url, service string, compression otlptracehttp.Compression) *sdk.TracerProvider {
	t.Helper()
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(url+"/v1/traces"), otlptracehttp.WithCompression(compression))
	if err != nil {
		t.Fatal(err)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return p
}

// record makes a trace that crosses two services, with fixed times.
func record(t *testing.T, url string, compression otlptracehttp.Compression) string {
	t.Helper()
	greeter, catalog := provider(t, url, "greeter", compression), provider(t, url, "catalog", compression)
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ms int) trace.SpanEventOption {
		return trace.WithTimestamp(start.Add(time.Duration(ms) * time.Millisecond))
	}
	ctx, root := greeter.Tracer("t").Start(t.Context(), "POST /v1/greetings", at(0), trace.WithSpanKind(trace.SpanKindServer))
	cctx, call := greeter.Tracer("t").Start(ctx, "GET", at(1), trace.WithSpanKind(trace.SpanKindClient))
	_, served := catalog.Tracer("t").Start(cctx, "GET /v1/products/{id}", at(2), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.Int("http.response.status_code", 500)))
	served.SetStatus(codes.Error, "boom")
	served.End(at(4))
	call.End(at(5))
	_, insert := greeter.Tracer("t").Start(ctx, "INSERT", at(6))
	insert.End(at(7))
	root.End(at(10))
	for _, p := range []*sdk.TracerProvider{greeter, catalog} {
		if err := p.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return root.SpanContext().TraceID().String()
}

func get(t *testing.T, url string, wantStatus int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != wantStatus {
		t.Fatalf("GET %s: status %d, want %d: %s", url, res.StatusCode, wantStatus, body)
	}
	return string(body)
}

func TestSinkShowsATraceAcrossServices(t *testing.T) {
	for name, compression := range map[string]otlptracehttp.Compression{"plain": otlptracehttp.NoCompression, "gzip": otlptracehttp.GzipCompression} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(otlp.NewSink(otlp.Options{}))
			defer server.Close()
			id := record(t, server.URL, compression)

			want := "trace " + id + `  2 services  4 spans  10ms
greeter  POST /v1/greetings              server         10ms
├─ greeter  GET                          client          4ms
│  └─ catalog  GET /v1/products/{id}     server          2ms  error boom
└─ greeter  INSERT                       internal        1ms
`
			got := get(t, server.URL+"/traces/"+id+"?format=tree", http.StatusOK)
			if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
				t.Errorf("tree:\n%s\nwant:\n%s", got, want)
			}
			var full otlp.Trace
			if err := json.Unmarshal([]byte(get(t, server.URL+"/traces/"+id, http.StatusOK)), &full); err != nil {
				t.Fatal(err)
			}
			if len(full.Spans) != 4 || full.Spans[2].Attributes["http.response.status_code"] != 500.0 {
				t.Errorf("spans: %+v", full.Spans)
			}
			var sums []otlp.Summary
			if err := json.Unmarshal([]byte(get(t, server.URL+"/traces?service=catalog&limit=1", http.StatusOK)), &sums); err != nil {
				t.Fatal(err)
			}
			if len(sums) != 1 || sums[0].ID != id || sums[0].Name != "POST /v1/greetings" || sums[0].Duration != 10*time.Millisecond || !sums[0].Error {
				t.Errorf("summaries: %+v", sums)
			}
			if got := get(t, server.URL+"/traces?service=nobody", http.StatusOK); strings.TrimSpace(got) != "[]" {
				t.Errorf("traces of a service without any: %s", got)
			}
		})
	}
}

func TestSinkRefusesWhatItCannotRead(t *testing.T) {
	server := httptest.NewServer(otlp.NewSink(otlp.Options{Body: 8}))
	defer server.Close()
	tests := map[string]struct {
		contentType, encoding, body string
		status                      int
	}{
		"json":       {"application/json", "", "{}", http.StatusUnsupportedMediaType},
		"no type":    {"", "", "", http.StatusUnsupportedMediaType},
		"deflate":    {"application/x-protobuf", "deflate", "", http.StatusUnsupportedMediaType},
		"not gzip":   {"application/x-protobuf", "gzip", "plain", http.StatusBadRequest},
		"not proto":  {"application/x-protobuf", "", "\xff\xff", http.StatusBadRequest},
		"too large":  {"application/x-protobuf", "", "123456789", http.StatusRequestEntityTooLarge},
		"empty body": {"application/x-protobuf", "", "", http.StatusOK},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/traces", bytes.NewBufferString(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", tt.contentType)
			req.Header.Set("Content-Encoding", tt.encoding)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d", res.StatusCode, tt.status)
			}
		})
	}
	get(t, server.URL+"/traces/unknown", http.StatusNotFound)
	get(t, server.URL+"/traces?limit=x", http.StatusBadRequest)
}

func TestSinkKeepsTheLastTraces(t *testing.T) {
	sink := otlp.NewSink(otlp.Options{Traces: 2, Spans: 3})
	server := httptest.NewServer(sink)
	defer server.Close()
	var ids []string
	for range 3 {
		ids = append(ids, record(t, server.URL, otlptracehttp.GzipCompression))
	}
	if _, ok := sink.Trace(ids[0]); ok {
		t.Error("the oldest trace is still kept")
	}
	got := sink.List("", 0)
	if len(got) != 2 || got[0].ID != ids[2] || got[1].ID != ids[1] {
		t.Errorf("kept %d traces, the newest %s; want %v", len(got), got[0].ID, ids[1:])
	}
	if len(got[0].Spans) != 3 {
		t.Errorf("kept %d spans of a trace, want 3", len(got[0].Spans))
	}
}

func TestWaitReturnsWhenTheTraceArrives(t *testing.T) {
	sink := otlp.NewSink(otlp.Options{})
	server := httptest.NewServer(sink)
	defer server.Close()
	done := make(chan error, 1)
	go func() {
		_, err := sink.Wait(t.Context(), func(tr otlp.Trace) bool { return tr.Service("catalog") && tr.Service("greeter") })
		done <- err
	}()
	record(t, server.URL, otlptracehttp.NoCompression)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sink.Wait(ctx, func(otlp.Trace) bool { return false }); err == nil {
		t.Error("Wait returned without a trace and without an error")
	}
}

func ExampleTrace_Tree() {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	t := otlp.Trace{ID: "4bf92f3577b34da6a3ce929d0e0e4736", Spans: []otlp.Span{
		{ID: "a", Service: "orders", Name: "POST /v1/orders", Kind: "server", Start: start, Duration: 12 * time.Millisecond},
		{ID: "b", Parent: "a", Service: "orders", Name: "order.created.v1 publish", Kind: "producer", Start: start, Duration: time.Millisecond},
		{ID: "c", Parent: "b", Service: "mail", Name: "order.created.v1 process", Kind: "consumer", Start: start, Duration: 2500 * time.Microsecond},
	}}
	fmt.Print(t.Tree())
	// Output:
	// trace 4bf92f3577b34da6a3ce929d0e0e4736  2 services  3 spans  12ms
	// orders  POST /v1/orders               server         12ms
	// └─ orders  order.created.v1 publish   producer        1ms
	//    └─ mail  order.created.v1 process  consumer      2.5ms
}

func TestLogRecordsAreKeptAndFoundByTheirTrace(t *testing.T) {
	sink := otlp.NewSink(otlp.Options{Logs: 3})
	server := httptest.NewServer(sink)
	defer server.Close()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "greeter", Endpoint: server.URL, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	id := trace.TraceID{1}
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{2}}))
	for i := range 3 {
		tel.Log.InfoContext(t.Context(), fmt.Sprint("early ", i))
	}
	tel.Log.WarnContext(ctx, "hot", "degrees", 40)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sink.Logs("", "greeter"); len(got) != 3 || got[0].Message != "early 1" {
		t.Errorf("kept %+v, want the last three", got)
	}
	if got := sink.Logs("", "somebody"); len(got) != 0 {
		t.Errorf("somebody else's: %+v", got)
	}
	var got []otlp.Record
	if err := json.Unmarshal([]byte(get(t, server.URL+"/logs?trace="+id.String(), http.StatusOK)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Level != "WARN" || got[0].Message != "hot" || got[0].Attributes["degrees"] != 40.0 || time.Since(got[0].Time) > time.Hour {
		t.Errorf("of the trace: %+v", got)
	}
}

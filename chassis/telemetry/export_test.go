package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

// logCollector is an OTLP collector that keeps the log records it gets and answers what it is told to.
type logCollector struct {
	*httptest.Server
	status int
	gate   chan struct{} // requests wait for it to be closed

	mu      sync.Mutex
	records []*logs.LogRecord
}

func collectLogs(t *testing.T) *logCollector {
	t.Helper()
	c := &logCollector{status: http.StatusOK, gate: make(chan struct{})}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-c.gate
		if r.URL.Path != "/v1/logs" || c.status != http.StatusOK {
			w.WriteHeader(c.status)
			return
		}
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		text, _ := io.ReadAll(body)
		var request collector.ExportLogsServiceRequest
		if err := proto.Unmarshal(text, &request); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.ResourceLogs {
			for _, scope := range resource.ScopeLogs {
				c.records = append(c.records, scope.LogRecords...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *logCollector) start(t *testing.T, out io.Writer) *Telemetry {
	t.Helper()
	tel, err := New(t.Context(), Options{Service: "orders", Endpoint: c.URL, Output: out})
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

// flat is a record as the line of the log shows it, but that groups' members have names with dots.
func flat(r *logs.LogRecord) map[string]any {
	text := func(v *common.AnyValue) any {
		switch v := v.GetValue().(type) {
		case *common.AnyValue_IntValue:
			return float64(v.IntValue)
		case *common.AnyValue_DoubleValue:
			return v.DoubleValue
		case *common.AnyValue_BoolValue:
			return v.BoolValue
		}
		return v.GetStringValue()
	}
	out := map[string]any{
		"level": r.SeverityText, "msg": text(r.Body), "time": time.Unix(0, int64(r.TimeUnixNano)).UTC().Format(time.RFC3339Nano),
		"trace_id": fmt.Sprintf("%x", r.TraceId), "span_id": fmt.Sprintf("%x", r.SpanId),
	}
	for _, a := range r.Attributes {
		out[a.Key] = text(a.Value)
	}
	return out
}

// flatten writes the members of objects as exportHandler names them.
func flatten(line map[string]any, prefix string, out map[string]any) map[string]any {
	for key, v := range line {
		if group, ok := v.(map[string]any); ok && key != "order" {
			flatten(group, prefix+key+".", out)
			continue
		}
		if list, ok := v.(map[string]any); ok {
			text, _ := json.Marshal(list)
			v = string(text)
		}
		out[prefix+key] = v
	}
	return out
}

// wantLost compares telemetry_lost_total, by signal and reason; what is left out must be 0.
func wantLost(t *testing.T, tel *Telemetry, want map[string]int) {
	t.Helper()
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got, series := map[string]int{}, 0
	for _, family := range families {
		if family.GetName() != "telemetry_lost_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			series++
			if n := int(m.GetCounter().GetValue()); n != 0 {
				got[labels["signal"]+" "+labels["reason"]] = n
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || series != 4 {
		t.Errorf("%d series; lost: want (-), got (+)\n%s", series, diff)
	}
}

func TestExportedRecordsSayWhatTheLinesSay(t *testing.T) {
	c, out := collectLogs(t), new(bytes.Buffer)
	close(c.gate)
	tel := c.start(t, out)
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3}}))
	ctx = WithIDs(ctx, IDs{Request: "r-1", Correlation: "c-1"})
	log := tel.Log.With("tenant", "blue", "password", "hunter2")

	log.InfoContext(ctx, `paid with 4111111111111111 and "thanks" ü`, "amount", 12, "card", 4111111111111111, "ratio", 0.5, "late", true,
		"took", time.Second, "text", "a \"quoted\" line\nand <more> \u2028", "error", errors.New("token=abc123secret refused"), "order", struct {
			ID         string `json:"id"`
			CardNumber string `json:"card_number"`
		}{"o-1", "4111111111111111"}, slog.Group("empty"), slog.Group("", slog.Int("inlined", 1)))
	log.WithGroup("outer").With("a", 1).WithGroup("inner").ErrorContext(ctx, "grouped", "b", "two", slog.Group("deep", "c", 3))
	log.WarnContext(ctx, "secret group", slog.Group("credentials", "user", "ada"))
	log.DebugContext(ctx, "below the level")
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || len(c.records) != 3 {
		t.Fatalf("%d lines, %d records; want 3 of each", len(lines), len(c.records))
	}
	for i, line := range lines {
		var decoded map[string]any
		if err := json.Unmarshal([]byte(line), &decoded); err != nil {
			t.Fatal(err)
		}
		delete(decoded, "service") // the resource says it
		want := flatten(decoded, "", map[string]any{})
		got := flat(c.records[i])
		for _, clock := range []map[string]any{want, got} { // written with different precision
			at, err := time.Parse(time.RFC3339Nano, clock["time"].(string))
			if err != nil {
				t.Fatal(err)
			}
			clock["time"] = at.Truncate(time.Millisecond).UTC()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("line (-) and record (+):\n%s", diff)
		}
	}
	if text := fmt.Sprint(c.records); strings.Contains(text, "4111") || strings.Contains(text, "hunter2") || strings.Contains(text, "abc123") || strings.Contains(text, "ada") {
		t.Errorf("a secret is exported: %s", text)
	}
}

func TestSeverityKeepsTheOrderOfLevels(t *testing.T) {
	for level, want := range map[slog.Level]logs.SeverityNumber{
		slog.LevelDebug: logs.SeverityNumber_SEVERITY_NUMBER_DEBUG, slog.LevelInfo: logs.SeverityNumber_SEVERITY_NUMBER_INFO,
		slog.LevelWarn: logs.SeverityNumber_SEVERITY_NUMBER_WARN, slog.LevelError: logs.SeverityNumber_SEVERITY_NUMBER_ERROR,
		slog.LevelError + 1: logs.SeverityNumber_SEVERITY_NUMBER_ERROR2, -100: logs.SeverityNumber_SEVERITY_NUMBER_TRACE, 100: logs.SeverityNumber_SEVERITY_NUMBER_FATAL4,
	} {
		if got := severity(level); int(got) != int(want) {
			t.Errorf("severity(%d) = %v, want %v", level, got, want)
		}
	}
}

// The collector answers nothing, so that nothing leaves the queue.
func TestLoggingNeverWaitsForTheCollector(t *testing.T) {
	c := collectLogs(t)
	tel := c.start(t, io.Discard)
	const more = 100
	for i := range exportQueue + more {
		tel.Log.InfoContext(t.Context(), "line", "n", i)
	}
	wantLost(t, tel, map[string]int{"logs queue_full": more})
	close(c.gate)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.records) != exportQueue {
		t.Errorf("%d records came, want the %d that the queue holds", len(c.records), exportQueue)
	}
}

func TestRefusedRecordsAreCountedAndNotReportedToTheCollector(t *testing.T) {
	c, out := collectLogs(t), new(bytes.Buffer)
	c.status = http.StatusBadRequest
	close(c.gate)
	tel := c.start(t, out)
	tel.Log.InfoContext(t.Context(), "one")
	tel.Log.InfoContext(t.Context(), "two")
	if err := tel.Shutdown(t.Context()); err == nil {
		t.Error("the loss is not reported")
	}
	wantLost(t, tel, map[string]int{"logs export_failed": 2})
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, out)
	}
}

func TestSpansThatDoNotFitTheQueueAreCounted(t *testing.T) {
	c := collectLogs(t)
	tel, err := New(t.Context(), Options{Service: "orders", Endpoint: c.URL, Ratio: 1, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for range exportQueue + 7 {
		_, span := tel.Tracer("x").Start(t.Context(), "x")
		span.End()
	}
	wantLost(t, tel, map[string]int{"spans queue_full": 7})
	close(c.gate)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestExportedRecordHasEachKeyOnce(t *testing.T) {
	c := collectLogs(t)
	close(c.gate)
	tel := c.start(t, io.Discard)
	ctx := WithIDs(t.Context(), IDs{Request: "r-1"})
	tel.Log.With("a", 1, "request_id", "before").InfoContext(ctx, "twice", "b", 2, "a", 3, slog.Group("g", "c", 4), "g.c", 5)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.records) != 1 {
		t.Fatalf("%d records", len(c.records))
	}
	var got []string
	for _, a := range c.records[0].Attributes {
		got = append(got, fmt.Sprint(a.Key, "=", flat(c.records[0])[a.Key]))
	}
	if diff := cmp.Diff([]string{"a=3", "request_id=r-1", "b=2", "g.c=5"}, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// BenchmarkExport compares what a line of a request costs in all, on its way out and, as a record, on its way to the collector as well.
//
//	GOMAXPROCS=1 go test -run '^$' -bench Export -cpuprofile cpu.out ./chassis/telemetry
func BenchmarkExport(b *testing.B) {
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer sink.Close()
	tel, err := New(b.Context(), Options{Service: "orders", Endpoint: sink.URL, Output: io.Discard})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.WithoutCancel(b.Context())) }()
	ctx := WithIDs(b.Context(), IDs{Request: "0198b2a3-7c1e-7d11-9f10-0242ac120002"})
	for _, c := range []struct {
		name string
		log  *slog.Logger
	}{{"written", tel.written}, {"exported", tel.Log}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				record := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
				record.AddAttrs(slog.String("method", "GET"), slog.String("path", "/v1/orders/0198b2a3-7c1e-7d11-9f10-0242ac120002"),
					slog.String("operation", "getOrder"), slog.Int("status", 200), slog.Float64("duration_ms", 1.25))
				if err := c.log.Handler().Handle(ctx, record); err != nil {
					b.Fatal(err)
				}
				if n%exportBatch == 0 { // all are exported, none is turned away
					if err := tel.records.ForceFlush(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

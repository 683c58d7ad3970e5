package httpserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"github.com/trellis-mesh/trellis/chassis/fault"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/httpserver/internal/greeting"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func TestIDsAreTakenWhenSaneAndMadeWhenNot(t *testing.T) {
	for name, tt := range map[string]struct {
		request, correlation         string
		wantRequest, wantCorrelation string // empty: the made one
		echo                         bool   // of the correlation id
	}{
		"none":              {"", "", "", "", false},
		"both":              {"r-1", "c-1", "r-1", "c-1", true},
		"request only":      {"r-1", "", "r-1", "r-1", false},
		"correlation only":  {"", "c-1", "", "c-1", true},
		"newline":           {"r\n1", "c\x00", "", "", false},
		"too long":          {strings.Repeat("x", 129), "c-1", "", "c-1", true},
		"a script":          {"<script>", "'; drop table", "", "", false},
		"blanks in between": {"r 1", "", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var seen telemetry.IDs
			b := setUp(t, 0, &greeter{get: func(ctx context.Context, r greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
				seen = telemetry.ContextIDs(ctx)
				return greeting.GetGreeting200JSONResponse{Id: r.Id}, nil
			}}, func(o *httpserver.Options) { o.NewID = func() string { return "made" } })
			w := b.send(t, "GET", "/v1/greetings/abc", "", "X-Request-Id", tt.request, "X-Correlation-Id", tt.correlation)
			want := telemetry.IDs{Request: or(tt.wantRequest, "made"), Correlation: or(tt.wantCorrelation, "made")}
			if diff := cmp.Diff(want, seen); diff != "" || w.Header().Get("X-Request-Id") != want.Request {
				t.Error(diff, w.Header())
			}
			if got := w.Header().Get("X-Correlation-Id") != ""; got != tt.echo {
				t.Errorf("correlation id sent back: %v", got)
			}
			if line := b.log.lines(t, "request")[0]; line["request_id"] != want.Request {
				t.Errorf("log %v", line)
			}
		})
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func TestMadeIDsDiffer(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	seen := map[string]bool{}
	for range 1000 {
		id := b.send(t, "GET", "/v1/greetings/abc", "").Header().Get("X-Request-Id")
		if len(id) != 32 || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

const (
	parentTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	recordedBy  = "00-" + parentTrace + "-00f067aa0ba902b7-01"
	unrecorded  = "00-" + parentTrace + "-00f067aa0ba902b7-00"
)

func TestOneTraceIDInSpanLogAndAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		ratio       float64
		traceparent string
		trace       string // empty: a new one
		recorded    bool
	}{
		"begun and recorded":          {1, "", "", true},
		"begun and not recorded":      {0, "", "", false},
		"recorded by the caller":      {0, recordedBy, parentTrace, true},
		"not recorded by the caller":  {1, unrecorded, parentTrace, false},
		"a senseless traceparent":     {1, "00-xyz", "", true},
		"a traceparent of zeros":      {1, "00-00000000000000000000000000000000-0000000000000000-00", "", true},
		"a recorded one that's wrong": {0, strings.Replace(recordedBy, "4bf", "4BF", 1), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var seen string
			b := setUp(t, tt.ratio, &greeter{get: func(ctx context.Context, _ greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
				seen = telemetry.TraceID(ctx)
				return nil, problem.NotFound("greeting_not_found", "There is no such greeting.")
			}}, nil)
			var headers []string
			if tt.traceparent != "" {
				headers = []string{"Traceparent", tt.traceparent}
			}
			w := b.send(t, "GET", "/v1/greetings/abc", "", headers...)
			if (tt.trace != "" && seen != tt.trace) || len(seen) != 32 {
				t.Errorf("trace %q, want %q", seen, tt.trace)
			}
			if line := b.log.lines(t, "request")[0]; line["trace_id"] != seen || !strings.Contains(w.Body.String(), seen) {
				t.Errorf("log %v, answer %s, want %s", line, w.Body, seen)
			}
			spans := b.recorded(t)
			if (len(spans) == 1) != tt.recorded {
				t.Fatalf("%d spans", len(spans))
			}
			if tt.recorded && (spans[0].Name != "GET /v1/greetings/:id" || spans[0].SpanContext.TraceID().String() != seen) {
				t.Errorf("span %s of trace %s", spans[0].Name, spans[0].SpanContext.TraceID())
			}
		})
	}
}

func TestBaggageReachesTheHandler(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	var carried string
	b.Router().GET("/plain", func(c *gin.Context) {
		carrier := http.Header{}
		b.tel.Propagator.Inject(c.Request.Context(), headerCarrier(carrier))
		carried = carrier.Get("Baggage")
	})
	b.send(t, "GET", "/plain", "", "Baggage", "tenant=acme")
	if carried != "tenant=acme" {
		t.Errorf("baggage %q", carried)
	}
}

type headerCarrier http.Header

func (h headerCarrier) Get(key string) string { return http.Header(h).Get(key) }
func (h headerCarrier) Set(key, value string) { http.Header(h).Set(key, value) }
func (h headerCarrier) Keys() []string        { return nil }

func TestProbesAreNeitherTracedMeasuredLoggedNorFailed(t *testing.T) {
	b := setUp(t, 1, &greeter{}, nil)
	if err := b.faults.Set(fault.Rule{Error: 500, Share: 1}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/health/live", "/health/ready"} {
		if w := b.send(t, "GET", path, "", "Traceparent", recordedBy); w.Code != 200 || w.Body.String() != `{"status":"UP"}` {
			t.Error(path, w.Code, w.Body)
		}
		if w := b.send(t, "HEAD", path, ""); w.Code != 200 {
			t.Error(path, w.Code)
		}
	}
	if spans, lines := b.recorded(t), b.log.lines(t, "request"); len(spans)+len(lines) != 0 {
		t.Errorf("%d spans, %d lines", len(spans), len(lines))
	}
	b.metrics(t, "", "http_requests_total")
	b.health.SetDraining()
	if w := b.send(t, "GET", "/health/ready", ""); w.Code != 503 {
		t.Error(w.Code)
	}
}

func TestRequestsAreCountedByOperation(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	b.Router().GET("/plain/:x", func(c *gin.Context) { c.Status(http.StatusTeapot) })
	for range 3 {
		b.send(t, "GET", "/v1/greetings/abc", "")
	}
	b.send(t, "POST", "/v1/greetings", "{}", "Content-Type", asJSON)
	b.send(t, "GET", "/plain/1", "")
	b.send(t, "GET", "/plain/2", "")
	b.send(t, "GET", "/none/1", "")
	b.send(t, "GET", "/none/2", "")
	b.send(t, "BREW", "/none", "")
	b.send(t, "BOIL", "/v1/greetings", "")
	b.metrics(t, `
# HELP http_requests_in_flight Requests being answered now.
# TYPE http_requests_in_flight gauge
http_requests_in_flight 0
# HELP http_requests_total Requests answered, by operation of the contract, method, status (0: the client got no answer) and the service that called.
# TYPE http_requests_total counter
http_requests_total{caller="unknown",method="GET",operation="/plain/:x",status="418"} 2
http_requests_total{caller="unknown",method="GET",operation="getGreeting",status="200"} 3
http_requests_total{caller="unknown",method="GET",operation="unmatched",status="404"} 2
http_requests_total{caller="unknown",method="OTHER",operation="unmatched",status="404"} 1
http_requests_total{caller="unknown",method="OTHER",operation="unmatched",status="405"} 1
http_requests_total{caller="unknown",method="POST",operation="createGreeting",status="422"} 1
`, "http_requests_total", "http_requests_in_flight")
}

func TestUnmeasuredRequestsAreNotCounted(t *testing.T) {
	b := setUp(t, 0, &greeter{}, func(o *httpserver.Options) { o.Unmeasured = true })
	b.send(t, "GET", "/v1/greetings/abc", "")
	families, err := b.tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		switch family.GetName() {
		case "http_requests_total":
			t.Errorf("counted: %v", family)
		case "http_request_duration_seconds":
			for _, m := range family.Metric {
				if n := m.Histogram.GetSampleCount(); n != 0 {
					t.Errorf("timed %d requests: %v", n, m.Label)
				}
			}
		}
	}
}

func TestLatencyHasExemplarsOfRecordedTraces(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	b.send(t, "GET", "/v1/greetings/abc", "", "Traceparent", recordedBy)
	families, err := b.tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "http_request_duration_seconds" {
			continue
		}
		for _, m := range family.Metric {
			for _, bucket := range m.Histogram.Bucket {
				if e := bucket.Exemplar; e != nil && strings.Contains(e.String(), parentTrace) {
					return
				}
			}
		}
	}
	t.Error("no exemplar")
}

func TestAPanicIsA500ThatShowsNothing(t *testing.T) {
	b := setUp(t, 1, &greeter{get: func(context.Context, greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		panic("password=hunter2 at 10.0.0.7")
	}}, nil)
	w := b.send(t, "GET", "/v1/greetings/abc", "")
	if code, _ := problemOf(t, w); w.Code != 500 || code != "internal_error" || strings.Contains(w.Body.String(), "10.0.0.7") {
		t.Error(w.Code, w.Body)
	}
	lines := b.log.lines(t, "panic")
	if len(lines) != 1 || !strings.Contains(lines[0]["stack"].(string), "observe_test.go") || lines[0]["error"] != "password=[redacted] at 10.0.0.7" {
		t.Errorf("log %v", lines)
	}
	if spans := b.recorded(t); len(spans) != 1 || spans[0].Status.Code.String() != "Error" || strings.Contains(spans[0].Status.Description, "hunter2") {
		t.Errorf("spans %v", spans)
	}
	b.metrics(t, `
# HELP http_panics_total Handlers that panicked.
# TYPE http_panics_total counter
http_panics_total 1
# HELP http_requests_in_flight Requests being answered now.
# TYPE http_requests_in_flight gauge
http_requests_in_flight 0
`, "http_panics_total", "http_requests_in_flight")
}

func TestAPanicInHalfAnAnswerBreaksTheConnection(t *testing.T) {
	b := setUp(t, 1, nil, nil)
	b.Router().GET("/half", func(c *gin.Context) {
		c.Header("Content-Type", "text/plain")
		c.String(http.StatusOK, "half")
		c.Writer.Flush()
		panic("no more")
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.start(t)+"/half", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("the client takes %q for a whole answer", body)
	}
	if spans := b.recorded(t); len(spans) != 1 || spans[0].Status.Code != codes.Error {
		t.Errorf("spans %v", spans)
	}
	if line := b.log.lines(t, "request")[0]; line["level"] != "ERROR" || line["aborted"] != true || line["status"] != 200.0 {
		t.Errorf("log %v", line)
	}
}

// One attribute that is no UTF-8 would keep the whole batch of spans from being exported.
func TestSpansHoldOnlyText(t *testing.T) {
	b := setUp(t, 1, &greeter{}, nil)
	b.send(t, "GET", "/v1/greetings/%ff", "", "User-Agent", "x\xff", "X-Forwarded-For", "\xff")
	b.send(t, "GET", "/\xff", "", "Host", "\xff")
	b.send(t, "BREW", "/coffee", "")
	spans := b.recorded(t)
	if len(spans) != 3 || spans[2].Name != "HTTP" {
		t.Fatalf("spans %v", spans)
	}
	for _, span := range spans {
		for _, a := range span.Attributes {
			if !utf8.ValidString(a.Value.String()) {
				t.Errorf("%s: %s is %q", span.Name, a.Key, a.Value.String())
			}
		}
	}
	if !slices.Contains(spans[0].Attributes, semconv.URLPath("/v1/greetings/\uFFFD")) ||
		!slices.Contains(spans[2].Attributes, semconv.HTTPRequestMethodOriginal("BREW")) {
		t.Errorf("attributes %v, %v", spans[0].Attributes, spans[2].Attributes)
	}
}

func TestErrorsOfHandlersAreLoggedAndNotShown(t *testing.T) {
	b := setUp(t, 0, &greeter{get: func(context.Context, greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		return nil, fmt.Errorf("load greeting: %w", errors.New("dial 10.0.0.7: card 4111111111111111"))
	}}, nil)
	w := b.send(t, "GET", "/v1/greetings/abc", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "10.0.0.7") {
		t.Error(w.Code, w.Body)
	}
	line := b.log.lines(t, "request")[0]
	if line["level"] != "ERROR" || line["error"] != "500 internal_error: load greeting: dial 10.0.0.7: card [redacted]" {
		t.Errorf("log %v", line)
	}
}

func TestTheContextHasTheOperationsDeadline(t *testing.T) {
	var left time.Duration
	var operation string
	look := func(ctx context.Context) {
		deadline, ok := ctx.Deadline()
		if !ok {
			t.Error("no deadline")
		}
		left, operation = time.Until(deadline), httpserver.Operation(ctx)
	}
	b := setUp(t, 0, &greeter{
		get: func(ctx context.Context, _ greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
			look(ctx)
			return greeting.GetGreeting200JSONResponse{}, nil
		},
		uploads: func(ctx context.Context, _ io.Reader) error { look(ctx); return nil },
	}, func(o *httpserver.Options) { o.RequestTimeout = 40 * time.Second })
	b.send(t, "GET", "/v1/greetings/abc", "")
	if left < 30*time.Second || left > 40*time.Second || operation != "getGreeting" {
		t.Error(left, operation)
	}
	b.send(t, "POST", "/v1/recordings", "x", "Content-Type", "application/octet-stream")
	if left < 80*time.Second || left > 90*time.Second || operation != "upload" {
		t.Error(left, operation)
	}
}

func TestAPassedDeadlineIs504(t *testing.T) {
	b := setUp(t, 0, &greeter{get: func(ctx context.Context, _ greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		<-child.Done()
		return nil, fmt.Errorf("load greeting: %w", child.Err())
	}}, func(o *httpserver.Options) { o.RequestTimeout = 10 * time.Millisecond })
	w := b.send(t, "GET", "/v1/greetings/abc", "")
	if code, _ := problemOf(t, w); w.Code != 504 || code != "deadline_exceeded" {
		t.Error(w.Code, w.Body)
	}
}

func TestTheContextEndsWithTheRequest(t *testing.T) {
	var kept context.Context
	b := setUp(t, 0, &greeter{get: func(ctx context.Context, _ greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		kept = ctx //nolint:fatcontext // to look at it after the request
		if err := ctx.Err(); err != nil {
			t.Errorf("%v during the request", err)
		}
		_ = ctx.Done()
		return greeting.GetGreeting200JSONResponse{}, nil
	}}, nil)
	b.send(t, "GET", "/v1/greetings/abc", "")
	<-kept.Done()
	if !errors.Is(kept.Err(), context.Canceled) {
		t.Error(kept.Err())
	}
}

// A database driver's goroutine may look at a context while gin uses its own again; the race detector tells.
func TestTheHandlersContextOutlivesTheRequest(t *testing.T) {
	looked := make(chan struct{}, 100)
	b := setUp(t, 1, &greeter{get: func(ctx context.Context, r greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		go func() {
			<-ctx.Done()
			_ = ctx.Value("x")
			_, _ = ctx.Deadline()
			looked <- struct{}{}
		}()
		return greeting.GetGreeting200JSONResponse{Id: r.Id}, nil
	}}, nil)
	for range cap(looked) {
		b.send(t, "GET", "/v1/greetings/abc", "")
	}
	for range cap(looked) {
		<-looked
	}
}

func TestFaultsAreAppliedMeasuredAndLogged(t *testing.T) {
	b := setUp(t, 1, &greeter{get: func(context.Context, greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		t.Error("the handler is called")
		return nil, nil
	}}, nil)
	if err := b.faults.Set(fault.Rule{Error: 503, Share: 1, Operations: []string{"getGreeting"}}); err != nil {
		t.Fatal(err)
	}
	w := b.send(t, "GET", "/v1/greetings/abc", "")
	if code, _ := problemOf(t, w); w.Code != 503 || code != "injected_fault" {
		t.Error(w.Code, w.Body)
	}
	if w := b.send(t, "GET", "/v1/greetings", ""); w.Code != 200 {
		t.Error(w.Code)
	}
	if lines, spans := b.log.lines(t, "request"), b.recorded(t); len(lines) != 2 || len(spans) != 2 {
		t.Errorf("%d lines, %d spans", len(lines), len(spans))
	}
}

func TestARefusedRequestGetsNoAnswer(t *testing.T) {
	b := setUp(t, 1, &greeter{}, nil)
	url := b.start(t)
	if err := b.faults.Set(fault.Rule{Refuse: true, Share: 1}); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/greetings/abc", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := client.Do(r); !errors.Is(err, io.EOF) {
		t.Errorf("answer %v, %v", answer, err)
		_ = answer.Body.Close()
	}
	if answer, _ := get(t, client, url+"/health/ready"); answer.StatusCode != http.StatusOK {
		t.Error("probes are refused too")
	}
	b.metrics(t, `
# HELP http_requests_total Requests answered, by operation of the contract, method, status (0: the client got no answer) and the service that called.
# TYPE http_requests_total counter
http_requests_total{caller="unknown",method="GET",operation="getGreeting",status="0"} 1
`, "http_requests_total")
}

func TestNoDebugOnTheAPIPort(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/log/level", "/fault", "/build"} {
		if w := b.send(t, "GET", path, ""); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestMethodNotAllowedNamesTheOthers(t *testing.T) {
	w := setUp(t, 0, &greeter{}, nil).send(t, "DELETE", "/v1/greetings", "")
	if w.Code != 405 || w.Header().Get("Allow") == "" {
		t.Error(w.Code, w.Header())
	}
}

func TestAClientsProxyHeadersAreNotBelieved(t *testing.T) {
	b := setUp(t, 0, nil, nil)
	var client string
	b.Router().GET("/plain", func(c *gin.Context) { client = c.ClientIP() })
	b.send(t, "GET", "/plain", "", "X-Forwarded-For", "1.2.3.4", "X-Real-Ip", "1.2.3.4")
	if client == "1.2.3.4" {
		t.Error("a client chose its address")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "x", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	const head = "openapi: 3.0.3\ninfo: {title: x, version: '1'}\npaths:\n  /x:\n    get:\n      responses: {'200': {description: ok}}\n"
	for name, opt := range map[string]httpserver.Options{
		"no telemetry":        {},
		"no contract":         {Telemetry: tel, Contract: []byte("{{")},
		"an invalid contract": {Telemetry: tel, Contract: []byte("openapi: 3.0.3")},
		"a bad proxy":         {Telemetry: tel, TrustedProxies: []string{"x"}},
		"a bad timeout":       {Telemetry: tel, Contract: []byte(head + "      x-timeout: 90\n")},
		"a bad limit":         {Telemetry: tel, Contract: []byte(head + "      x-body-limit: 1MiB\n")},
	} {
		if _, err := httpserver.New(opt); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := httpserver.New(httpserver.Options{Telemetry: tel, Contract: []byte(head)}); err != nil {
		t.Error(err)
	}
}

func TestAnAbandonedAnswerIsNotAFailureOfTheService(t *testing.T) {
	b := setUp(t, 0, &greeter{get: func(ctx context.Context, _ greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/greetings/abc", nil))
	if line := b.log.lines(t, "request")[0]; line["status"] != 499.0 || line["level"] != "INFO" {
		t.Errorf("log %v", line)
	}
}

func TestSpansOfRequestsOverTheObjectiveSaySo(t *testing.T) {
	for objective, want := range map[time.Duration]bool{time.Nanosecond: true, time.Hour: false, 0: false} {
		b := setUp(t, 1, &greeter{}, func(o *httpserver.Options) { o.Objective = objective })
		b.send(t, http.MethodGet, "/v1/greetings/en", "")
		spans := b.recorded(t)
		if len(spans) != 1 {
			t.Fatalf("%d spans, want 1", len(spans))
		}
		got := slices.Contains(spans[0].Attributes, attribute.Bool("slo.exceeded", true))
		if got != want {
			t.Errorf("objective %v: exceeded %v, want %v", objective, got, want)
		}
	}
}

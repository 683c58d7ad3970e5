package httpserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/fault"
	"github.com/trellis-mesh/trellis/chassis/health"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/httpserver/internal/greeting"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// greeter is the handler of the tests. Its functions are set by each test.
type greeter struct {
	create  func(ctx context.Context, r greeting.CreateGreetingRequestObject) (greeting.CreateGreetingResponseObject, error)
	list    func(ctx context.Context, r greeting.ListGreetingsRequestObject) (greeting.ListGreetingsResponseObject, error)
	get     func(ctx context.Context, r greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error)
	uploads func(ctx context.Context, body io.Reader) error
}

func (g *greeter) CreateGreeting(ctx context.Context, r greeting.CreateGreetingRequestObject) (greeting.CreateGreetingResponseObject, error) {
	if g.create != nil {
		return g.create(ctx, r)
	}
	return greeting.CreateGreeting201JSONResponse{Id: "1", Name: r.Body.Name, Size: r.Body.Size}, nil
}

func (g *greeter) ListGreetings(ctx context.Context, r greeting.ListGreetingsRequestObject) (greeting.ListGreetingsResponseObject, error) {
	if g.list != nil {
		return g.list(ctx, r)
	}
	return greeting.ListGreetings200JSONResponse{}, nil
}

func (g *greeter) GetGreeting(ctx context.Context, r greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
	if g.get != nil {
		return g.get(ctx, r)
	}
	return greeting.GetGreeting200JSONResponse{Id: r.Id, Name: "Ada"}, nil
}

func (g *greeter) ReplaceGreeting(context.Context, greeting.ReplaceGreetingRequestObject) (greeting.ReplaceGreetingResponseObject, error) {
	return greeting.ReplaceGreeting204Response{}, nil
}

func (g *greeter) GetLine(context.Context, greeting.GetLineRequestObject) (greeting.GetLineResponseObject, error) {
	return greeting.GetLine204Response{}, nil
}

func (g *greeter) Upload(ctx context.Context, r greeting.UploadRequestObject) (greeting.UploadResponseObject, error) {
	if g.uploads != nil {
		return greeting.Upload204Response{}, g.uploads(ctx, r.Body)
	}
	_, err := io.Copy(io.Discard, r.Body)
	return greeting.Upload204Response{}, err
}

// bench is a server under test with everything around it.
type bench struct {
	*httpserver.Server
	tel    *telemetry.Telemetry
	spans  *tracetest.InMemoryExporter
	log    *logBuffer
	faults *fault.Injector
	health *health.Set
}

// logBuffer may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// lines gives the log's lines with that message.
func (l *logBuffer) lines(t testing.TB, msg string) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for text := range strings.Lines(l.buf.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if line["msg"] == msg {
			found = append(found, line)
		}
	}
	return found
}

// setUp makes a server for a handler, without a listener. change may adjust the options.
func setUp(t testing.TB, ratio float64, g *greeter, change func(*httpserver.Options)) *bench {
	t.Helper()
	b := &bench{spans: tracetest.NewInMemoryExporter(), log: &logBuffer{}, faults: fault.New(fault.Options{})}
	var err error
	b.tel, err = telemetry.New(context.Background(), telemetry.Options{Service: "greeter", Version: "1", Ratio: ratio, Exporter: b.spans, Output: b.log})
	if err != nil {
		t.Fatal(err)
	}
	b.health = health.New(health.Options{})
	opt := httpserver.Options{Addr: "127.0.0.1:0", Contract: greeting.Contract, Telemetry: b.tel, Health: b.health, Fault: b.faults}
	if change != nil {
		change(&opt)
	}
	if b.Server, err = httpserver.New(opt); err != nil {
		t.Fatal(err)
	}
	if g != nil {
		httpserver.Register(b.Router(), greeting.StrictServerInterface(g), greeting.NewStrictHandlerWithOptions, greeting.RegisterHandlersWithOptions)
	}
	return b
}

// recorded gives the spans so far.
func (b *bench) recorded(t testing.TB) tracetest.SpanStubs {
	t.Helper()
	flush, ok := b.tel.Tracing.(interface{ ForceFlush(context.Context) error })
	if !ok {
		t.Fatal("the tracer provider cannot be flushed")
	}
	if err := flush.ForceFlush(context.Background()); err != nil {
		t.Fatal(err)
	}
	return b.spans.GetSpans()
}

// metrics compares some metrics with the text format.
func (b *bench) metrics(t testing.TB, want string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(b.tel.Registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

// send gives the answer to a request without a network. Headers come as name, value.
func (b *bench) send(t testing.TB, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(context.Background(), method, target, reader)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return w
}

// start serves on a port and stops when the test ends. It gives the base URL.
func (b *bench) start(t testing.TB) string {
	t.Helper()
	if err := b.Listen(context.Background()); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(context.Background()) }()
	t.Cleanup(func() {
		if err := b.Shutdown(context.Background()); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + b.Addr()
}

// get sends a request over the network and gives status and body.
func get(t testing.TB, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// problemOf decodes the members of a problem that tests look at.
func problemOf(t testing.TB, w *httptest.ResponseRecorder) (code string, faults []string) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%d %s %s", w.Code, got, w.Body)
	}
	var p struct {
		Code   string
		Errors []struct{ In, Name, Pointer, Detail string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	for _, e := range p.Errors {
		faults = append(faults, e.In+" "+e.Name+e.Pointer+": "+e.Detail)
	}
	return p.Code, faults
}

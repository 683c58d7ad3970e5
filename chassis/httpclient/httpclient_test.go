package httpclient

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// callee answers requests in place of the network, so that the tests can run in a synctest bubble.
type callee func(*http.Request) (*http.Response, error)

func (c callee) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }

// answers gives the statuses in turn, and the last one ever after; it counts and dates the requests.
type answers struct {
	statuses []int
	header   http.Header
	bodies   []*watchedBody
	at       []time.Duration
	sent     []string
	start    time.Time
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.start.IsZero() {
		a.start = time.Now()
	}
	a.at = append(a.at, time.Since(a.start))
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		a.sent = append(a.sent, string(b))
	}
	resp := answer(r, a.statuses[min(len(a.at), len(a.statuses))-1], "{}")
	if a.header != nil {
		resp.Header = a.header
	}
	a.bodies = append(a.bodies, resp.Body.(*watchedBody))
	return resp, nil
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: &watchedBody{Reader: strings.NewReader(body)}, Request: r}
}

type watchedBody struct {
	*strings.Reader
	closed bool
}

func (b *watchedBody) Close() error {
	b.closed = true
	return nil
}

// hung never answers: it waits for the request's end.
var hung = callee(func(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
})

func client(t *testing.T, o Options) *Client {
	t.Helper()
	o.Name, o.URL = "catalog", "http://catalog"
	if o.Backoff.Jitter == nil {
		o.Backoff.Jitter = func() float64 { return 1 }
	}
	o.Log = slog.New(slog.DiscardHandler)
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// call sends a request, reads the answer and closes it.
func call(ctx context.Context, c *Client, method string, body io.Reader) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.URL+"/v1/products/7", body)
	if err != nil {
		return 0, err
	}
	resp, err := c.HTTP.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

func get(t *testing.T, c *Client) (int, error) {
	t.Helper()
	return call(t.Context(), c, http.MethodGet, nil)
}

func TestCallCarriesTraceIdsAndTimeLeft(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	c, err := New(Options{Name: "catalog", URL: server.URL + "/", Tracer: provider, Propagator: propagation.TraceContext{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.HTTP.CloseIdleConnections()

	ctx, span := provider.Tracer("test").Start(t.Context(), "handle")
	ctx = telemetry.WithIDs(ctx, telemetry.IDs{Request: "req-1", Correlation: "cor-1"})
	if _, err := call(WithOperation(ctx, "getProduct"), c, http.MethodGet, nil); err != nil {
		t.Fatal(err)
	}
	span.End()

	if c.URL != server.URL {
		t.Errorf("URL = %s, want no slash at its end", c.URL)
	}
	ended := spans.Ended()
	if len(ended) != 2 || ended[0].Name() != "catalog getProduct" || ended[0].Parent().SpanID() != span.SpanContext().SpanID() {
		t.Fatalf("spans: %v, want one client span under the caller's", ended)
	}
	if tp := got.Get("Traceparent"); !strings.Contains(tp, ended[0].SpanContext().SpanID().String()) {
		t.Errorf("traceparent = %q, want the client span's id in it", tp)
	}
	if got.Get(RequestIDHeader) != "req-1" || got.Get(CorrelationIDHeader) != "cor-1" {
		t.Errorf("ids sent: %q and %q", got.Get(RequestIDHeader), got.Get(CorrelationIDHeader))
	}
	if ms := got.Get(DeadlineHeader); len(ms) != 4 || ms[0] != '2' {
		t.Errorf("%s = %q, want a little less than 3000", DeadlineHeader, ms)
	}
}

func TestCalleeIsToldTheTimeLeft(t *testing.T) {
	for want, o := range map[string]Options{
		"3000": {},
		"800":  {Timeout: 800 * time.Millisecond},
		"300":  {Timeout: 800 * time.Millisecond, PerTry: 300 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			var got string
			o.Transport = callee(func(r *http.Request) (*http.Response, error) {
				got = r.Header.Get(DeadlineHeader)
				return answer(r, 200, ""), nil
			})
			if _, err := get(t, client(t, o)); err != nil || got != want {
				t.Errorf("told %q, %v; want %q", got, err, want)
			}
		})
	}
}

func TestCallWithoutTimeLeftIsNotSent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := &answers{statuses: []int{200}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://catalog", &watchedBody{Reader: strings.NewReader("x")})
	if err != nil {
		t.Fatal(err)
	}
	body := r.Body.(*watchedBody)
	_, err = client(t, Options{Transport: a}).HTTP.Do(r)
	if !errors.Is(err, context.Canceled) || len(a.at) != 0 || !body.closed {
		t.Errorf("%v, %d sent, body closed: %v; want none sent and the body closed", err, len(a.at), body.closed)
	}
}

func TestAnswerThatComesTooLateIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late *watchedBody
		c := client(t, Options{Attempts: 1, PerTry: time.Second, Transport: callee(func(r *http.Request) (*http.Response, error) {
			pass(2 * time.Second)
			resp := answer(r, 200, "")
			late = resp.Body.(*watchedBody)
			return resp, nil
		})})
		if _, err := get(t, c); !errors.Is(err, context.DeadlineExceeded) || !late.closed {
			t.Errorf("%v, closed: %v; want a timeout and the late answer closed", err, late.closed)
		}
	})
}

func TestNearerDeadlineWins(t *testing.T) {
	for name, tc := range map[string]struct{ caller, want time.Duration }{
		"the client's own": {time.Minute, 3 * time.Second},
		"the caller's":     {time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(t, Options{Transport: hung, Attempts: 1})
				ctx, cancel := context.WithTimeout(t.Context(), tc.caller)
				defer cancel()
				start := time.Now()
				_, err := call(ctx, c, http.MethodGet, nil)
				if took := time.Since(start); took != tc.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v, want a timeout after %v", took, err, tc.want)
				}
			})
		})
	}
}

func TestDeadlineCoversTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, Options{Transport: callee(func(r *http.Request) (*http.Response, error) {
			resp := answer(r, 200, "")
			resp.Body = io.NopCloser(stalled{r.Context()})
			return resp, nil
		})})
		start := time.Now()
		_, err := get(t, c)
		var failure *Error
		if took := time.Since(start); took != 3*time.Second || !errors.As(err, &failure) || !failure.Timeout() {
			t.Errorf("after %v: %v, want a timeout of the callee after 3s", took, err)
		}
	})
}

type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func TestCancelledCallIsNobodysFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, Options{Transport: hung, Breaker: Breaker{Volume: 1}})
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := call(ctx, c, http.MethodGet, nil)
			var failure *Error
			if !errors.Is(err, context.Canceled) || errors.As(err, &failure) {
				t.Errorf("err = %v, want only context.Canceled", err)
			}
		}
	})
}

func TestErrorsBecomeProblems(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, tc := range []struct {
		err    error
		status int
		code   string
	}{
		{ErrBulkheadFull, 503, "dependency_busy"},
		{ErrOpen, 503, "dependency_unavailable"},
		{context.DeadlineExceeded, 504, "dependency_timeout"},
		{timeout{dial}, 504, "dependency_timeout"},
		{ErrTooLarge, 502, "dependency_failed"},
		{dial, 502, "dependency_failed"},
	} {
		p := problem.From(errors.Join(errors.New("get product"), &Error{Callee: "catalog", Err: tc.err}))
		if p.Status != tc.status || p.Code != tc.code || strings.Contains(p.Detail, "refused") {
			t.Errorf("%v became %v", tc.err, p)
		}
		if again := p.RetryAfter > 0; again != (tc.status == 503) { // what was not sent may be sent again
			t.Errorf("%v became a problem with RetryAfter %v", tc.err, p.RetryAfter)
		}
	}
}

func TestDialTimeoutIsATimeout(t *testing.T) {
	c := client(t, Options{Attempts: 1, Transport: callee(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: slow{}}
	})})
	_, err := get(t, c)
	if got := problem.From(err); got.Status != 504 {
		t.Errorf("%v is %v, want 504", err, got)
	}
}

type slow struct{}

func (slow) Error() string   { return "i/o timeout" }
func (slow) Timeout() bool   { return true }
func (slow) Temporary() bool { return true }

func TestAnswerBeyondTheLimitFails(t *testing.T) {
	for size, want := range map[int]error{10: nil, 11: ErrTooLarge} {
		c := client(t, Options{MaxBody: 10, Transport: callee(func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, strings.Repeat("x", size)), nil
		})})
		resp, err := c.HTTP.Get(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if !errors.Is(err, want) || len(b) != 10 {
			t.Errorf("an answer of %d bytes: read %d, %v; want 10, %v", size, len(b), err, want)
		}
		_ = resp.Body.Close()
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	a := &answers{statuses: []int{302}, header: http.Header{"Location": {"http://elsewhere"}}}
	status, err := get(t, client(t, Options{Transport: a}))
	if err != nil || status != 302 || len(a.at) != 1 {
		t.Errorf("status %d after %d requests, %v; want the 302 itself", status, len(a.at), err)
	}
}

func TestMetricsCountEachCallOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		a := &answers{statuses: []int{503, 200}}
		c := client(t, Options{Registerer: reg, Transport: a})
		ctx := WithOperation(t.Context(), "getProduct")
		if _, err := call(ctx, c, http.MethodGet, nil); err != nil {
			t.Fatal(err)
		}
		want := `
# HELP http_client_breaker_state The callee's circuit breaker: 0 closed, 1 half-open, 2 open.
# TYPE http_client_breaker_state gauge
http_client_breaker_state{callee="catalog"} 0
# HELP http_client_bulkhead_in_use Calls under way to the callee.
# TYPE http_client_bulkhead_in_use gauge
http_client_bulkhead_in_use{callee="catalog"} 0
# HELP http_client_bulkhead_limit Calls that may be under way to the callee at once.
# TYPE http_client_bulkhead_limit gauge
http_client_bulkhead_limit{callee="catalog"} 100
# HELP http_client_requests_total Calls to other services by callee, operation and status: an HTTP status, or why there is none.
# TYPE http_client_requests_total counter
http_client_requests_total{callee="catalog",operation="getProduct",status="200"} 1
# HELP http_client_retries_total Attempts after the first one.
# TYPE http_client_retries_total counter
http_client_retries_total{callee="catalog",operation="getProduct"} 1
`
		err := testutil.GatherAndCompare(reg, strings.NewReader(want), "http_client_breaker_state", "http_client_bulkhead_in_use",
			"http_client_bulkhead_limit", "http_client_requests_total", "http_client_retries_total")
		if err != nil {
			t.Error(err)
		}
		if n, err := testutil.GatherAndCount(reg, "http_client_request_duration_seconds"); n != 1 || err != nil {
			t.Errorf("%d duration series, %v; want 1", n, err)
		}
	})
}

func TestClientsShareOneRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	for _, name := range []string{"catalog", "users"} {
		c, err := New(Options{Name: name, URL: "http://" + name, Registerer: reg, Transport: &answers{statuses: []int{200}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := get(t, c); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := testutil.GatherAndCount(reg, "http_client_requests_total"); n != 2 || err != nil {
		t.Errorf("%d series, %v; want one a callee", n, err)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	conns := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { conns[r.RemoteAddr] = true }))
	defer server.Close()
	c, err := New(Options{Name: "catalog", URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.HTTP.CloseIdleConnections()
	for range 5 {
		if _, err := get(t, c); err != nil {
			t.Fatal(err)
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections for 5 calls, want 1", len(conns))
	}
	c.HTTP.CloseIdleConnections()
	if _, err := get(t, c); err != nil || len(conns) != 2 {
		t.Errorf("%d connections after they were closed, %v; want another one", len(conns), err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := Options{Name: "catalog", URL: "http://catalog"}
	for want, change := range map[string]func(*Options){
		"name the callee":                     func(o *Options) { o.Name = "" },
		`"catalog:8080" is no base URL`:       func(o *Options) { o.URL = "catalog:8080" },
		`"ftp://catalog" is no base URL`:      func(o *Options) { o.URL = "ftp://catalog" },
		"is negative":                         func(o *Options) { o.Timeout = -1 },
		"-1 attempts: at least":               func(o *Options) { o.Attempts = -1 },
		"a concurrency of -1":                 func(o *Options) { o.Concurrency = -1 },
		"it is a share between 0 and 1":       func(o *Options) { o.Breaker.Rate = 50 },
		"volume -1, window 10s":               func(o *Options) { o.Breaker.Volume = -1 },
		"missing protocol scheme":             func(o *Options) { o.URL = "://" },
		`"http://catalog?x=1" is no base URL`: func(o *Options) { o.URL = "http://catalog?x=1" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want it to say %q", err, want)
		}
	}
}

func TestDefaultJitterStaysInItsRange(t *testing.T) {
	for range 1000 {
		if j := jitter(); j < 0.5 || j >= 1 {
			t.Fatalf("jitter %v, want it in [0.5, 1)", j)
		}
	}
}

// pass moves the bubble's time on.
func pass(d time.Duration) { <-time.After(d) }

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestCallForwardsTheCallersTokenOnlyWhenTold(t *testing.T) {
	for _, test := range []struct {
		forward           bool
		caller, own, want string
	}{
		{forward: false, caller: "Bearer caller", want: ""},
		{forward: true, caller: "Bearer caller", want: "Bearer caller"},
		{forward: true, caller: "bearer caller", want: "bearer caller"},
		{forward: true, caller: "Bearer caller", own: "Bearer own", want: "Bearer own"},
		{forward: true, caller: "Basic d2ViOnMzY3IzdA==", want: ""},
		{forward: true, caller: "Bearerless x", want: ""},
		{forward: true, caller: "", want: ""},
	} {
		var got string
		c := client(t, Options{Forward: test.forward, Transport: callee(func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get("Authorization")
			return answer(r, http.StatusOK, ""), nil
		})})
		r, err := http.NewRequestWithContext(auth.WithHeader(t.Context(), test.caller), http.MethodGet, c.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.own != "" {
			r.Header.Set("Authorization", test.own)
		}
		resp, err := c.HTTP.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got != test.want {
			t.Errorf("forward %v, of the caller %q, own %q: sent %q, want %q", test.forward, test.caller, test.own, got, test.want)
		}
	}
}

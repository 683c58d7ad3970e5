package ratelimit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/ratelimit"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

const contract = `
openapi: 3.0.3
info: {title: shop, version: 1.0.0}
paths:
  /open: {get: {operationId: open, responses: {"200": {description: ok}}}}
  /closed: {get: {operationId: closed, security: [{token: []}], responses: {"200": {description: ok}}}}
components: {securitySchemes: {token: {type: http, scheme: bearer}}}
`

// site is a server with a limit.
type site struct {
	http.Handler
	t       testing.TB
	metrics *prometheus.Registry
	log     bytes.Buffer
}

func newSite(t testing.TB, limiter ratelimit.Limiter, change ...func(*ratelimit.Options)) *site {
	t.Helper()
	s := &site{t: t, metrics: prometheus.NewRegistry()}
	tel, err := telemetry.New(context.Background(), telemetry.Options{Service: "shop", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{
		Contract: []byte(contract), Telemetry: tel, TrustedProxies: []string{"10.0.0.0/8"},
		Authorize: func(ctx context.Context, h http.Header, _ [][]string) (context.Context, error) {
			return auth.With(ctx, &auth.Identity{Subject: strings.TrimPrefix(h.Get("Authorization"), "Bearer ")}), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	opt := ratelimit.Options{Name: "api", Registry: s.metrics, Log: slog.New(slog.NewTextHandler(&s.log, nil))}
	for _, c := range change {
		c(&opt)
	}
	limit, err := ratelimit.New(limiter, opt)
	if err != nil {
		t.Fatal(err)
	}
	server.Router().Use(limit.Middleware)
	for _, path := range []string{"/open", "/closed"} {
		server.Router().GET(path, func(c *gin.Context) { c.Status(http.StatusOK) })
	}
	s.Handler = server.Handler()
	return s
}

// get sends a request from an address; header has names and values.
func (s *site) get(path, remote string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	r.RemoteAddr = remote
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func headers(w *httptest.ResponseRecorder) string {
	h := w.Header()
	return strings.Join([]string{h.Get("X-RateLimit-Limit"), h.Get("X-RateLimit-Remaining"), h.Get("X-RateLimit-Reset"), h.Get("Retry-After")}, " ")
}

func (s *site) counted(outcome string, want float64) {
	s.t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetLabel()[1].GetValue() == outcome {
				if got := m.GetCounter().GetValue(); got != want {
					s.t.Errorf("%v %s, want %v", got, outcome, want)
				}
				return
			}
		}
	}
	s.t.Errorf("%s is not counted", outcome)
}

func TestAnswersTellWhatIsLeft(t *testing.T) {
	b, _ := newWindow(t, ratelimit.SlidingWindowOptions{Limit: 2})
	s := newSite(t, b)
	for _, want := range []string{"2 1 60 ", "2 0 60 ", "2 0 60 60"} {
		if got := headers(s.get("/open", "1.2.3.4:5")); got != want {
			t.Errorf("headers %q, want %q", got, want)
		}
	}
	// What is left of a second is a second, not none.
	b.advance(time.Minute - time.Microsecond)
	w := s.get("/open", "1.2.3.4:5")
	if got := headers(w); got != "2 0 1 1" {
		t.Errorf("headers %q, want %q", got, "2 0 1 1")
	}
	var p problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusTooManyRequests || p.Code != "rate_limited" {
		t.Errorf("answer %d %s, %v", w.Code, w.Body, err)
	}
	s.counted("allowed", 2)
	s.counted("refused", 2)
}

func TestClientsAreToldApart(t *testing.T) {
	for name, test := range map[string]struct {
		first, second []string // path, address and headers
		same          bool
	}{
		"an address":                  {[]string{"/open", "1.2.3.4:5"}, []string{"/open", "1.2.3.4:6"}, true},
		"another address":             {[]string{"/open", "1.2.3.4:5"}, []string{"/open", "1.2.3.5:5"}, false},
		"an address that is made up":  {[]string{"/open", "1.2.3.4:5"}, []string{"/open", "1.2.3.4:5", "X-Forwarded-For", "9.9.9.9"}, true},
		"an address behind a proxy":   {[]string{"/open", "10.0.0.1:5", "X-Forwarded-For", "1.2.3.4"}, []string{"/open", "10.0.0.2:5", "X-Forwarded-For", "9.9.9.9, 1.2.3.4"}, true},
		"another behind that proxy":   {[]string{"/open", "10.0.0.1:5", "X-Forwarded-For", "1.2.3.4"}, []string{"/open", "10.0.0.1:5", "X-Forwarded-For", "1.2.3.5"}, false},
		"a network of version 6":      {[]string{"/open", "[2001:db8::1]:5"}, []string{"/open", "[2001:db8::ffff:2]:5"}, true},
		"another one":                 {[]string{"/open", "[2001:db8:0:1::1]:5"}, []string{"/open", "[2001:db8:0:2::1]:5"}, false},
		"a principal":                 {[]string{"/closed", "1.2.3.4:5", "Authorization", "Bearer ada"}, []string{"/closed", "1.2.3.5:5", "Authorization", "Bearer ada"}, true},
		"another principal":           {[]string{"/closed", "1.2.3.4:5", "Authorization", "Bearer ada"}, []string{"/closed", "1.2.3.4:5", "Authorization", "Bearer eve"}, false},
		"a token that nobody checked": {[]string{"/open", "1.2.3.4:5", "Authorization", "Bearer ada"}, []string{"/open", "1.2.3.4:5", "Authorization", "Bearer eve"}, true},
		"a principal like an address": {[]string{"/open", "1.2.3.4:5"}, []string{"/closed", "1.2.3.4:5", "Authorization", "Bearer 1.2.3.4"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBucket(t, ratelimit.TokenBucketOptions{Burst: 1, Rate: 1})
			s := newSite(t, b)
			if w := s.get(test.first[0], test.first[1], test.first[2:]...); w.Code != http.StatusOK {
				t.Fatalf("the first got %d", w.Code)
			}
			if w := s.get(test.second[0], test.second[1], test.second[2:]...); (w.Code == http.StatusTooManyRequests) != test.same {
				t.Errorf("the second got %d", w.Code)
			}
		})
	}
}

func TestWithoutRedisItFailsAsSet(t *testing.T) {
	for name, test := range map[string]struct {
		closed  bool
		status  int
		outcome string
	}{
		"open":   {false, http.StatusOK, "unlimited"},
		"closed": {true, http.StatusServiceUnavailable, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			s := newSite(t, windowOn(t, "redis://"+server.Addr(), ratelimit.SlidingWindowOptions{Limit: 1}), func(o *ratelimit.Options) { o.FailClosed = test.closed })
			server.Close()
			for range 10 {
				w := s.get("/open", "1.2.3.4:5")
				if w.Code != test.status || w.Header().Get("X-RateLimit-Limit") != "" {
					t.Fatalf("answer %d %v, want %d", w.Code, w.Header(), test.status)
				}
				if w.Header().Get("Retry-After") != map[bool]string{true: "1"}[test.closed] {
					t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
				}
			}
			s.counted(test.outcome, 10)
			if n := strings.Count(s.log.String(), "does not answer"); n != 1 {
				t.Errorf("logged %d times, want once:\n%s", n, &s.log)
			}
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(30 * time.Second)
			for s.get("/open", "1.2.3.4:5").Code != http.StatusTooManyRequests {
				if time.Now().After(deadline) {
					t.Fatal("it does not limit again for 30s")
				}
			}
			if !strings.Contains(s.log.String(), "answers again") {
				t.Errorf("nobody was told:\n%s", &s.log)
			}
		})
	}
}

// A Redis that takes connections and never answers is worse than one that is away: go-redis waits 3s, and again.
func TestARedisThatHangsHoldsUpFewRequests(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := newSite(t, windowOn(t, "redis://"+listener.Addr().String(), ratelimit.SlidingWindowOptions{}), func(o *ratelimit.Options) { o.Timeout = 50 * time.Millisecond })
	begun := time.Now()
	for range 1000 {
		if w := s.get("/open", "1.2.3.4:5"); w.Code != http.StatusOK {
			t.Fatalf("answer %d", w.Code)
		}
	}
	if took := time.Since(begun); took > 2500*time.Millisecond {
		t.Errorf("1000 requests took %v", took)
	}
	s.counted("unlimited", 1000)
}

// limiterFunc is a limiter made of a function.
type limiterFunc func(context.Context, string) (ratelimit.Decision, error)

func (f limiterFunc) Allow(ctx context.Context, key string) (ratelimit.Decision, error) {
	return f(ctx, key)
}

func TestAClientThatGoesIsNoFaultOfTheLimiter(t *testing.T) {
	calls := 0
	s := newSite(t, limiterFunc(func(ctx context.Context, _ string) (ratelimit.Decision, error) {
		calls++
		return ratelimit.Decision{Allowed: true}, ctx.Err()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/open", nil))
		if w.Code != problem.StatusClientClosed {
			t.Errorf("answer %d", w.Code)
		}
	}
	if calls != 3 || s.log.Len() > 0 {
		t.Errorf("%d calls of the limiter, want 3; log %s", calls, &s.log)
	}
}

func TestARefusalNeverSaysToComeBackAtOnce(t *testing.T) {
	for _, after := range []time.Duration{-time.Hour, 0, 1} {
		s := newSite(t, limiterFunc(func(context.Context, string) (ratelimit.Decision, error) {
			return ratelimit.Decision{Limit: 1, Remaining: -1, Reset: after, RetryAfter: after}, nil
		}))
		got := headers(s.get("/open", "1.2.3.4:5"))
		if want := map[bool]string{true: "1 0 1 1", false: "1 0 0 1"}[after > 0]; got != want {
			t.Errorf("headers %q for %v, want %q", got, after, want)
		}
	}
}

func TestTwoLimitsShareARegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	always := limiterFunc(func(context.Context, string) (ratelimit.Decision, error) {
		return ratelimit.Decision{}, errors.New("no")
	})
	for _, name := range []string{"a", "b"} {
		if _, err := ratelimit.New(always, ratelimit.Options{Name: name, Registry: registry}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 8 {
		t.Errorf("%d series and %v, want 8", n, err)
	}
	if _, err := ratelimit.New(always, ratelimit.Options{}); err == nil {
		t.Error("took a limit without a name")
	}
}

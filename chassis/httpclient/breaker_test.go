package httpclient

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// flaky answers with its status, and counts.
type flaky struct{ status, calls int }

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	f.calls++
	return answer(r, f.status, ""), nil
}

func (f *flaky) times(t *testing.T, c *Client, n, status int) {
	t.Helper()
	f.status = status
	for range n {
		if got, err := get(t, c); got != status || err != nil {
			t.Fatalf("%d, %v; want %d", got, err, status)
		}
	}
}

func TestBreakerOpensAtHalfOfTheMinimumVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		c := client(t, Options{Transport: f})
		f.times(t, c, 10, 200)
		f.times(t, c, 9, 500)
		f.times(t, c, 1, 500) // the 20th call, the 10th failure
		start := time.Now()
		if _, err := get(t, c); !errors.Is(err, ErrOpen) || time.Since(start) != 0 {
			t.Errorf("%v, want ErrOpen at once", err)
		}
		if f.calls != 20 {
			t.Errorf("%d calls reached the callee, want 20", f.calls)
		}
	})
}

func TestBreakerStaysClosed(t *testing.T) {
	for name, drive := range map[string]func(*testing.T, *Client, *flaky){
		"below the volume":  func(t *testing.T, c *Client, f *flaky) { f.times(t, c, 19, 500) },
		"below the rate":    func(t *testing.T, c *Client, f *flaky) { f.times(t, c, 20, 200); f.times(t, c, 19, 500) },
		"not its own fault": func(t *testing.T, c *Client, f *flaky) { f.times(t, c, 60, 404) },
		"out of the window": func(t *testing.T, c *Client, f *flaky) {
			for range 4 {
				f.times(t, c, 19, 500)
				pass(11 * s)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &flaky{}
				c := client(t, Options{Transport: f})
				drive(t, c, f)
				f.times(t, c, 1, 200)
			})
		})
	}
}

func TestBreakerProbesAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, reg := &flaky{}, prometheus.NewRegistry()
		c := client(t, Options{Transport: f, Registerer: reg})
		f.times(t, c, 20, 500)
		expectState(t, reg, 2)

		pass(30*s - 1)
		if _, err := get(t, c); !errors.Is(err, ErrOpen) {
			t.Errorf("before its delay is over: %v, want ErrOpen", err)
		}
		pass(1)
		f.times(t, c, 1, 200)
		expectState(t, reg, 1)
		f.times(t, c, 1, 500)
		expectState(t, reg, 2)
		if _, err := get(t, c); !errors.Is(err, ErrOpen) {
			t.Errorf("after a failed probe: %v, want ErrOpen", err)
		}
		pass(30 * s)
		f.times(t, c, 3, 200)
		expectState(t, reg, 0)
	})
}

func TestHalfOpenBreakerLetsOnlyProbesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing, transport := &flaky{status: 500}, http.RoundTripper(nil)
		c := client(t, Options{Attempts: 1, Transport: callee(func(r *http.Request) (*http.Response, error) {
			return transport.RoundTrip(r)
		})})
		transport = failing
		failing.times(t, c, 20, 500)
		pass(30 * s)
		transport = hung
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		for range 3 {
			go func() {
				_, err := call(ctx, c, http.MethodGet, nil)
				done <- err
			}()
		}
		synctest.Wait()
		if _, err := get(t, c); !errors.Is(err, ErrOpen) {
			t.Errorf("beside three probes: %v, want ErrOpen", err)
		}
		cancel() // probes that nobody waits for must not block the breaker for ever
		for range 3 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("probe: %v", err)
			}
		}
		pass(30 * s)
		transport = failing
		failing.times(t, c, 3, 200)
		failing.times(t, c, 10, 200)
	})
}

func TestTimeoutsOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, Options{Transport: hung, Attempts: 1, Breaker: Breaker{Volume: 3, Window: time.Minute}})
		for range 3 {
			if _, err := get(t, c); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		if _, err := get(t, c); !errors.Is(err, ErrOpen) {
			t.Errorf("err = %v, want ErrOpen", err)
		}
	})
}

func TestOpenBreakerEndsTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{statuses: []int{503}}
		c := client(t, Options{Transport: a, Timeout: time.Minute, Attempts: 5, Breaker: Breaker{Volume: 2, Window: time.Minute}})
		if _, err := get(t, c); !errors.Is(err, ErrOpen) || len(a.at) != 2 {
			t.Errorf("%v after %d tries, want ErrOpen after 2", err, len(a.at))
		}
	})
}

func TestTraceShowsTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		f := &flaky{status: 500}
		c := client(t, Options{Transport: f, Tracer: provider, Breaker: Breaker{Volume: 1, Probes: 1}})
		ctx, span := provider.Tracer("test").Start(t.Context(), "handle")
		_, _ = call(ctx, c, http.MethodGet, nil)
		_, _ = call(ctx, c, http.MethodGet, nil)
		pass(30 * s)
		f.status = 200
		_, _ = call(ctx, c, http.MethodGet, nil)
		span.End()

		var events []string
		for _, ended := range spans.Ended() {
			if ended.Name() == "handle" {
				for _, e := range ended.Events() {
					events = append(events, e.Name)
				}
			}
		}
		diff(t, "events of the caller's span", events, []string{"circuit breaker open",
			"circuit breaker refused the call", "circuit breaker half-open", "circuit breaker closed"})
	})
}

func expectState(t *testing.T, reg *prometheus.Registry, want float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "http_client_breaker_state" {
			if got := f.GetMetric()[0].GetGauge().GetValue(); got != want {
				t.Errorf("breaker state %v, want %v", got, want)
			}
		}
	}
}

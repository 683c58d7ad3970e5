package load_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/bench/load"
)

func TestRunCountsEveryRequestTheServerSaw(t *testing.T) {
	var seen atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/things/1" {
			t.Errorf("path = %q", r.URL.Path)
		}
		if seen.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(`{"id":"1"}`))
	}))
	defer server.Close()

	result, err := load.Run(t.Context(), load.Options{
		Addr: strings.TrimPrefix(server.URL, "http://"), Path: "/v1/things/1", Connections: 4, Duration: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if int64(result.Requests) != seen.Load() || result.Requests == 0 {
		t.Errorf("counted %d requests, the server saw %d", result.Requests, seen.Load())
	}
	if result.Failed != result.Requests/2 {
		t.Errorf("failed = %d of %d, want every second one", result.Failed, result.Requests)
	}
	if result.P50 <= 0 || result.P99 < result.P50 {
		t.Errorf("p50 = %s, p99 = %s", result.P50, result.P99)
	}
}

func TestRunFailsWhenTheServerHangsUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	_, err := load.Run(t.Context(), load.Options{
		Addr: strings.TrimPrefix(server.URL, "http://"), Path: "/", Connections: 1, Duration: 50 * time.Millisecond,
	})
	if err == nil {
		t.Error("a connection closed without an answer passed for success")
	}
}

func TestRunRefusesOtherMachines(t *testing.T) {
	_, err := load.Run(t.Context(), load.Options{Addr: "192.0.2.1:80", Path: "/", Connections: 1, Duration: time.Millisecond})
	if !errors.Is(err, load.ErrNotLoopback) {
		t.Errorf("err = %v, want %v", err, load.ErrNotLoopback)
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		q      float64
		values []time.Duration
		want   time.Duration
	}{
		{0.50, hundred, 50}, {0.99, hundred, 99}, {1, hundred, 100}, {0, hundred, 1}, {0.5, nil, 0}, {0.99, hundred[:1], 1},
	} {
		if got := load.Quantile(c.values, c.q); got != c.want {
			t.Errorf("Quantile(%d values, %g) = %d, want %d", len(c.values), c.q, got, c.want)
		}
	}
}

package httpclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestFullBulkheadRefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		c := client(t, Options{Concurrency: 2, Attempts: 1, Transport: hung, Registerer: reg})
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := get(t, c)
				done <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		body := &watchedBody{Reader: strings.NewReader("x")}
		_, err := call(t.Context(), c, http.MethodPost, body)
		if !errors.Is(err, ErrBulkheadFull) || time.Since(start) != 0 || !body.closed {
			t.Errorf("%v after %v, want ErrBulkheadFull at once and the body closed", err, time.Since(start))
		}
		if n := inUse(t, reg); n != 2 {
			t.Errorf("%v places in use, want 2", n)
		}
		for range 2 {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a call with a place: %v", err)
			}
		}
		if n := inUse(t, reg); n != 0 {
			t.Errorf("%v places in use afterwards, want none", n)
		}
	})
}

func inUse(t *testing.T, reg *prometheus.Registry) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "http_client_bulkhead_in_use" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no gauge of the bulkhead")
	return 0
}

func TestCallWaitsForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := callee(func(r *http.Request) (*http.Response, error) {
			pass(s)
			return answer(r, 200, ""), nil
		})
		for wait, want := range map[time.Duration]error{2 * s: nil, s / 2: ErrBulkheadFull} {
			c := client(t, Options{Concurrency: 1, MaxWait: wait, Transport: busy})
			done := make(chan error)
			go func() {
				_, err := get(t, c)
				done <- err
			}()
			synctest.Wait()
			if _, err := get(t, c); !errors.Is(err, want) {
				t.Errorf("waiting up to %v: %v, want %v", wait, err, want)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPlaceIsKeptUntilTheAnswerIsRead(t *testing.T) {
	for name, end := range map[string]func(*http.Response){
		"read to its end": func(r *http.Response) { _, _ = io.Copy(io.Discard, r.Body) },
		"closed":          func(r *http.Response) { _ = r.Body.Close() },
		"forgotten":       func(*http.Response) { pass(3 * s); synctest.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(t, Options{Concurrency: 1, Transport: &answers{statuses: []int{200}}})
				resp, err := c.HTTP.Get(c.URL)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := get(t, c); !errors.Is(err, ErrBulkheadFull) {
					t.Errorf("while the answer is open: %v, want ErrBulkheadFull", err)
				}
				end(resp)
				if _, err := get(t, c); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

func TestPanicGivesThePlaceBack(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := client(t, Options{Concurrency: 1, Registerer: reg, Breaker: Breaker{Volume: 1},
		Transport: callee(func(*http.Request) (*http.Response, error) { panic("broken transport") })})
	func() {
		defer func() { _ = recover() }()
		_, _ = get(t, c)
	}()
	if n := inUse(t, reg); n != 0 {
		t.Errorf("%v places in use, want none", n)
	}
	if _, err := get(t, c); !errors.Is(err, ErrOpen) {
		t.Errorf("err = %v, want the panic counted as a failure", err)
	}
	if n, err := testutil.GatherAndCount(reg, "http_client_bulkhead_limit"); n != 1 || err != nil {
		t.Errorf("%d series of the limit, %v", n, err)
	}
}

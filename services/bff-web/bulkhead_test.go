package main

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/app"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/shop"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/shop/shoptest"
)

// declared is what service.yaml says of the calls to a service.
func declared(t *testing.T, service string) chassis.Call {
	t.Helper()
	i := slices.IndexFunc(spec.Calls, func(c chassis.Call) bool { return c.Service == service })
	if i < 0 {
		t.Fatalf("no calls to %s are declared", service)
	}
	return spec.Calls[i]
}

// pages are composed with the declared limits, in a process of their own clock.
func pages(t *testing.T, s *shoptest.Shop) *app.Pages {
	t.Helper()
	return app.New(shop.New(s.Memory(t, func(service string) httpclient.Options {
		call := declared(t, service)
		return httpclient.Options{Timeout: call.Timeout, Attempts: call.Attempts, PerTry: call.PerTry, Concurrency: call.Concurrency}
	})), app.Options{})
}

func TestEachCalleeHasItsBulkhead(t *testing.T) {
	for service, want := range map[string]int{"users": 10, "orders": 20, "payments": 5} {
		if got := declared(t, service).Concurrency; got != want {
			t.Errorf("%d calls to %s at once, want %d", got, service, want)
		}
	}
}

// latency is how long a service that is well takes to answer.
const latency = 20 * time.Millisecond

// slow has the services but payments answer after a while, and notes when they have.
func slow(s *shoptest.Shop, answered func(service string)) {
	for service, handler := range s.Handlers {
		s.Handlers[service] = func(w http.ResponseWriter, r *http.Request) {
			<-time.After(latency)
			handler(w, r)
			answered(service)
		}
	}
}

func TestHungPaymentsLeaveTheRestTheirLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start, last := shoptest.New(), time.Now(), time.Duration(0)
		var mu sync.Mutex
		slow(s, func(string) {
			mu.Lock()
			defer mu.Unlock()
			last = time.Since(start)
		})
		s.Handlers["payments"] = shoptest.Hung
		got, err := pages(t, s).Dashboard(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"payments"}, got.Missing); diff != "" || len(got.Payments) > 0 || len(got.Orders) != 3 || got.User == nil || got.Analytics == nil {
			t.Errorf("%s %+v", diff, got)
		}
		if last != 2*latency { // orders, then the names of their products
			t.Errorf("the rest was there after %v, want %v", last, 2*latency)
		}
		if took := time.Since(start); took > declared(t, "payments").Timeout {
			t.Errorf("the answer came after %v, and a call to payments may take %v", took, declared(t, "payments").Timeout)
		}
	})
}

// TestBulkheadBoundsWhatAHungCalleeHolds sends 400 requests while payments hangs. As many as its bulkhead has places wait for it, each
// of them no longer than its timeout; all others are answered as fast as the rest of the shop is, and nothing is left behind: the test's
// bubble does not end before each of its goroutines has.
func TestBulkheadBoundsWhatAHungCalleeHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shoptest.New()
		slow(s, func(string) {})
		var mu sync.Mutex
		held, most := 0, 0
		s.Handlers["payments"] = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			held++
			most = max(most, held)
			mu.Unlock()
			shoptest.Hung(w, r)
			mu.Lock()
			held--
			mu.Unlock()
		}
		places, timeout := declared(t, "payments").Concurrency, declared(t, "payments").Timeout
		p, under, waited := pages(t, s), 0, 0
		var requests sync.WaitGroup
		for range 40 {
			for range 10 {
				under++
				requests.Go(func() {
					start := time.Now()
					got, err := p.Dashboard(t.Context(), "ada")
					took := time.Since(start)
					mu.Lock()
					defer mu.Unlock()
					under--
					if took > 2*latency {
						waited++
					}
					if err != nil || !slices.Equal(got.Missing, []string{"payments"}) || took > timeout {
						t.Errorf("after %v: %v missing, %v", took, got.Missing, err)
					}
				})
			}
			<-time.After(2*latency + time.Millisecond)
			synctest.Wait()
			mu.Lock()
			if under > places {
				t.Errorf("%d requests are under way, want no more than the %d that have a place", under, places)
			}
			mu.Unlock()
		}
		requests.Wait()
		if most != places {
			t.Errorf("payments was held by %d calls at once, want %d", most, places)
		}
		if waited == 0 || waited > 400/4 {
			t.Errorf("%d of 400 requests waited for payments", waited)
		}
	})
}

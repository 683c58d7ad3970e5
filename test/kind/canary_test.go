//go:build kind

package kind

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
)

// TestCanaryTakesItsShareAndFailsNoRequest takes a version of catalog through all that can become of it, by the commands that a
// person would use, while requests come from outside and from another service.
func TestCanaryTakesItsShareAndFailsNoRequest(t *testing.T) {
	s := theShop(t)
	w := s.workshop(t)
	w.patient("orders") // the only one of them that asks others
	p := s.probeOf(t, "orders")
	product := load.Request{Name: "GET product, from orders", Method: "GET", URL: s.host("catalog") + "/v1/products/" + s.product}
	p.warm(t, product, 200)

	rows := [][]any{{"MOVE", "DEPLOYED IN", "SENT MEANWHILE", "FAILED", "P99", "MAX", "REQUESTS TO V2"}}
	move := func(share string, args ...string) {
		t.Helper()
		outside := s.start(t, rate, s.traffic(t))
		inside := p.start(t, load.Plan{Requests: []load.Request{product}, Rate: rate / 2})
		pause(t, 2*time.Second)
		w.run(append([]string{"canary", "catalog"}, args...)...)
		took := w.up()
		pause(t, 2*time.Second)
		result := merge(outside.Stop(), inside())
		noneFailed(t, result, nil)
		rows = append(rows, append(append([]any{strings.Join(args, " "), tenths(took)}, totals(result)...), share))
	}
	measure := func(least, most float64) string {
		t.Helper()
		return s.measureShare(t, p, product, least, most)
	}
	move("", "start", "--version", "v2")
	rows[len(rows)-1][6] = measure(0, 0)
	move("", "step", "--weight", "10")
	rows[len(rows)-1][6] = measure(8, 12)
	move("", "abort") // its pods stay, so it can go on
	rows[len(rows)-1][6] = measure(0, 0)
	move("", "step", "--weight", "100")
	rows[len(rows)-1][6] = measure(100, 100)
	move("v1's pods are gone", "promote")
	if old := s.readyPods(t, "app=catalog,version=v1"); len(old) != 0 {
		t.Errorf("after promote, %d pods of v1 run", len(old))
	}
	table(t, "A canary of catalog under load from outside and from orders; calls may take 8 s", rows...)
}

// measureShare sends requests from orders and counts, at the pods of catalog, which version they came to.
func (s *shop) measureShare(t *testing.T, p *probe, request load.Request, least, most float64) string {
	t.Helper()
	const requests, perSecond = 2000, 200
	count := func() (v1, v2 float64) {
		for version, sum := range map[string]*float64{"v1": &v1, "v2": &v2} {
			for _, pod := range s.readyPods(t, "app=catalog,version="+version) {
				*sum += s.scrape(t, s.namespace, pod.Name, adminPort, "/metrics").sum("http_request_duration_seconds", map[string]string{"operation": "getProduct"})
			}
		}
		return v1, v2
	}
	one, two := count()
	stop := p.start(t, load.Plan{Requests: []load.Request{request}, Rate: perSecond})
	eventually(t, 2*time.Minute, func() error {
		var so load.Result
		if err := p.order(t.Context(), "GET", "/load", nil, &so); err != nil {
			return err
		}
		if so.Sent() < requests {
			return fmt.Errorf("%d of %d requests were sent", so.Sent(), requests)
		}
		return nil
	})
	noneFailed(t, stop(), nil)
	first, second := count()
	first, second = first-one, second-two
	share := 100 * second / max(first+second, 1)
	if share < least || share > most {
		t.Errorf("v2 got %.1f %% of %.0f requests, not %v to %v", share, first+second, least, most)
	}
	return fmt.Sprintf("%.1f %% of %.0f", share, first+second)
}

// merge adds up two results.
func merge(a, b load.Result) load.Result {
	for name, c := range b.ByName {
		a.ByName[name] = c
	}
	a.Failures = append(a.Failures, b.Failures...)
	return a
}

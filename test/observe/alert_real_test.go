//go:build real

package observe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/port"
	"github.com/trellis-mesh/trellis/internal/render/rule"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// scale makes an hour of the rules two minutes, and their shortest window ten seconds.
const scale rule.Scale = 30

// past is how long the shop has been well, as far as the rules look back: three days, at the scale.
const past = 3 * 24 * time.Hour / time.Duration(scale)

// aFailingServiceRaisesOneAlert has a twentieth of the requests to payments fail, which is 50 times what its objective of 99.9 % allows. At
// that rate the budget of two percent in an hour is gone after 17 minutes, here half a minute; before six hours are a matter, and long before days
// are, one alert must page, and none else be raised.
func (w *watched) aFailingServiceRaisesOneAlert(t *testing.T) {
	watch := *w // with a Prometheus and an Alertmanager of its own, since the others' rules see the same in time
	free, err := port.Free(2)
	if err != nil {
		t.Fatal(err)
	}
	watch.ports.Prometheus, watch.ports.Alertmanager = free[0], free[1]
	pages := newPager(t)
	watch.alertmanager = watch.servers(t, nil)["alertmanager"]
	amend(t, watch.alertmanager.config(), pages.receive)
	watch.alertmanager.run(t)
	watch.prometheus = watch.startPrometheus(t, func(s server, config map[string]any) {
		w.remember(t, filepath.Join(s.dir, "data"))
		config["rule_files"] = w.compressed(t)
	})
	stop := watch.load(t, "payments", "/v1/payments?customerId=nobody")
	defer stop()
	waitFor(t, time.Minute, "requests are counted", func(context.Context) error {
		if watch.query(t, `service:http_requests:rate5m{service="payments"} > 20`) == nil {
			return fmt.Errorf("payments answers %v a second", watch.query(t, `service:http_requests:rate5m{service="payments"}`))
		}
		return nil
	})
	if alerts := watch.raised(t); len(alerts) != 0 {
		t.Fatalf("before anything fails there are alerts: %v", alerts)
	}
	begun := time.Now()
	w.fault(t, "payments", `{"error":503,"share":0.05}`)
	defer w.fault(t, "payments", "")
	waitFor(t, 2*time.Minute, "the alert", func(context.Context) error {
		if len(watch.raised(t)) == 0 {
			return fmt.Errorf("there are %v of %v", watch.query(t, `ALERTS`), watch.query(t, `{__name__=~"service:http_requests_errors:ratio_rate(5m|1h)",service="payments"}`))
		}
		return nil
	})
	took := time.Since(begun)
	waitFor(t, time.Minute, "the page", func(context.Context) error {
		if len(pages.taken()) == 0 {
			return fmt.Errorf("nobody is told; Alertmanager has %v", watch.alerts(t))
		}
		return nil
	})
	w.fault(t, "payments", "")
	waitFor(t, time.Minute, "the end of the alert", func(context.Context) error {
		if firing := watch.query(t, `ALERTS{alertstate="firing"}`); len(firing) > 0 {
			return fmt.Errorf("there is %v", firing)
		}
		return nil
	})
	const want = "AvailabilityFastBurn payments page"
	if got := watch.raised(t); len(got) != 1 || got[0] != want {
		t.Errorf("raised %q, want only %q", got, want)
	}
	told := pages.taken()
	if len(told) != 1 || len(told[0].Alerts) != 1 || told[0].Receiver != "page" || told[0].Alerts[0].Labels["alertname"] != "AvailabilityFastBurn" {
		t.Errorf("the messages of Alertmanager are %+v, want one about one alert", told)
	}
	ratio := watch.query(t, `service:http_requests_errors:ratio_rate1h{service="payments"}`)
	if len(ratio) != 1 {
		t.Fatalf("no ratio of errors: %v", ratio)
	}
	show(t, fmt.Sprintf("5 %% of the requests to payments fail: %s after %s, with %.2f %% of an hour's requests failed (an hour is two minutes here)",
		want, took.Round(time.Second), 100*ratio[0].value()), "")
}

// raised are the alerts that have been firing at any time, with their service and severity.
func (w *watched) raised(t *testing.T) (names []string) {
	t.Helper()
	for _, s := range w.query(t, `count by (alertname, service, severity) (count_over_time(ALERTS{alertstate="firing"}[10m]))`) {
		names = append(names, s.Metric["alertname"]+" "+s.Metric["service"]+" "+s.Metric["severity"])
	}
	return names
}

// alerts are those that Alertmanager has.
func (w *watched) alerts(t *testing.T) (names []string) {
	t.Helper()
	var all []struct{ Labels map[string]string }
	if err := ask(t.Context(), w.alertmanager.URL+"/api/v2/alerts", url.Values{}, &all); err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		names = append(names, a.Labels["alertname"]+" "+a.Labels["service"]+" "+a.Labels["severity"])
	}
	return names
}

// load sends fifty requests a second until stop is called.
func (w *watched) load(t *testing.T, service, path string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _, _ = w.call(ctx, http.MethodGet, w.Service(service).URL+path, nil, "") // what came of it is what Prometheus tells
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// compressed writes the rules of all services, in compressed time, and names the files.
func (w *watched) compressed(t *testing.T) (files []any) {
	t.Helper()
	dir := t.TempDir()
	for _, s := range w.model.Services {
		file := filepath.Join(dir, s.Name+".yaml")
		if err := os.WriteFile(file, []byte(rule.Of(s, rule.Options{Scale: scale}).YAML()), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// remember fills the folder of a Prometheus that is to have seen all services well for as long as the rules look back.
func (w *watched) remember(t *testing.T, data string) {
	t.Helper()
	const perSecond, step = 50, 10 * time.Second
	now := time.Now()
	var text strings.Builder
	counter := func(name, labels string, service *spec.Service) {
		for at := -past; at < 0; at += step {
			fmt.Fprintf(&text, "%s{job=\"services\",instance=\"before\",service=%q,operation=\"any\",method=\"GET\"%s} %d %s\n", name, service.Name, labels,
				int(perSecond*(at+past).Seconds()), strconv.FormatFloat(float64(now.Add(at).UnixMilli())/1000, 'f', 3, 64))
		}
	}
	text.WriteString("# TYPE http_requests counter\n")
	for _, s := range w.model.Services {
		counter("http_requests_total", `,status="200",caller="unknown"`, s)
	}
	text.WriteString("# TYPE http_request_duration_seconds histogram\n")
	for _, s := range w.model.Services {
		le := strconv.FormatFloat(s.SLO.Latency.Under.Seconds(), 'g', -1, 64)
		if !strings.Contains(le, ".") {
			le += ".0"
		}
		counter("http_request_duration_seconds_bucket", `,le="`+le+`"`, s)
		counter("http_request_duration_seconds_bucket", `,le="+Inf"`, s)
		counter("http_request_duration_seconds_count", "", s)
	}
	text.WriteString("# EOF\n")
	file := filepath.Join(t.TempDir(), "history.txt")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "promtool", "tsdb", "create-blocks-from", "openmetrics", file, data)
}

package lint_test

import (
	"os"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/render"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// watched gives the shop, and what watches its services.
func watched(t *testing.T) (*spec.Model, []plan.File) {
	t.Helper()
	m, err := spec.Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	var files []plan.File
	for _, s := range m.Services {
		text, err := render.Rules(m, s.Name, 1)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, plan.File{Path: s.Dir + "/deploy/observability/rules.yaml", Content: text})
	}
	return m, files
}

func TestTheQueriesOfTheShopAreProven(t *testing.T) {
	m, files := watched(t)
	if problems := lint.Queries(m, files); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestARenamedMetricNamesWhatItBreaks has the files ask for a name that the chassis had before.
func TestARenamedMetricNamesWhatItBreaks(t *testing.T) {
	m, files := watched(t)
	broken := 0
	for i := range files {
		broken += strings.Count(string(files[i].Content), "http_client_breaker_state")
		files[i].Content = []byte(strings.ReplaceAll(string(files[i].Content), "http_client_breaker_state", "http_client_breaker_stage"))
	}
	problems := lint.Queries(m, files)
	if len(problems) != broken || broken == 0 {
		t.Fatalf("%d rules ask for it, %d problems: %v", broken, len(problems), problems)
	}
	for _, p := range problems {
		if text := p.String(); !strings.Contains(text, "deploy/observability/rules.yaml:") || !strings.Contains(text, "the alert BreakerOpen") ||
			!strings.Contains(text, "did you mean http_client_breaker_state?") {
			t.Error(text)
		}
	}
}

func TestQueriesAreProven(t *testing.T) {
	m, files := watched(t)
	for _, c := range []struct{ name, expr, want string }{
		{"fine", `sum by (operation) (rate(http_requests_total{service=~"$service",status=~"5.."}[$__rate_interval]))`, ""},
		{"a window from a variable", `sum(rate(go_gc_duration_seconds_count[${window}]))`, ""},
		{"a recorded metric", `service:http_requests_errors:ratio_rate1h{service="orders"} > 0`, ""},
		{"joined", `sum by (service, version) (rate(http_requests_total[5m]) * on (service, pod) group_left (version) build_info)`, ""},
		{"a replaced label", `sum by (peer) (label_replace(http_client_breaker_state, "peer", "$1", "callee", "(.*)"))`, ""},
		{"no PromQL", `sum(rate(http_requests_total[5m])`, "no PromQL"},
		{"an unknown metric", `rate(http_request_total[5m])`, "did you mean http_requests_total?"},
		{"a metric of another service", `event_consumer_lag{service="catalog"}`, "catalog does not have it"},
		{"an unknown matcher", `http_requests_total{operatoin="x"}`, "did you mean operation?"},
		{"an unknown group", `sum by (callee) (http_requests_total)`, "groups by the label callee"},
		{"a group that an aggregation has taken", `sum by (operation) (sum by (service) (http_requests_total))`, "groups by the label operation"},
		{"le after the quantile", `sum by (le) (histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))))`, "groups by the label le"},
		{"an unknown label of what is recorded", `service:http_requests:rate5m{operation="x"}`, "by the label operation"},
		{"a bucket without the name", `rate(http_request_duration_seconds_buckets[5m])`, "did you mean http_request_duration_seconds_bucket?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			board := plan.File{Path: "observability/grafana/dashboards/one.json", Content: []byte(`{"panels": [{"title": "Row", "panels": [
				{"title": "The panel", "datasource": {"uid": "prometheus"}, "targets": [{"expr": ` + quote(c.expr) + `}]},
				{"title": "Logs", "datasource": {"uid": "loki"}, "targets": [{"expr": "{service=\"x\"} |= \"y\""}]}]}]}`)}
			problems := lint.Queries(m, append(files[:len(files):len(files)], board))
			switch {
			case c.want == "" && len(problems) > 0:
				t.Error(problems)
			case c.want == "":
			case len(problems) != 1:
				t.Errorf("%d problems, want one: %v", len(problems), problems)
			default:
				if text := problems[0].String(); !strings.Contains(text, c.want) || !strings.Contains(text, `one.json`) || !strings.Contains(text, `the panel "The panel"`) {
					t.Errorf("want %q: %s", c.want, text)
				}
			}
		})
	}
}

func TestVariablesOfDashboardsAreProven(t *testing.T) {
	m, files := watched(t)
	board := plan.File{Path: "observability/grafana/dashboards/one.json", Content: []byte(`{"templating": {"list": [
		{"name": "service", "type": "query", "datasource": {"uid": "prometheus"}, "query": "label_values(build_info, service)"},
		{"name": "place", "type": "query", "datasource": {"uid": "prometheus"}, "query": {"query": "label_values(build_info, place)"}}]}}`)}
	problems := lint.Queries(m, append(files, board))
	if len(problems) != 1 || !strings.Contains(problems[0].String(), "the variable place") {
		t.Error(problems)
	}
}

func quote(text string) string {
	return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
}

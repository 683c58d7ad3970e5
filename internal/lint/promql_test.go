package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// watched gives the shop, and the rules and dashboards that watch it, as they lie on the disk.
func watched(t *testing.T) (*spec.Model, []plan.File) {
	t.Helper()
	m, err := spec.Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{}
	for _, name := range []string{"overview", "mesh", "messaging", "slo"} {
		paths = append(paths, "observability/grafana/dashboards/"+name+".json")
	}
	for _, s := range m.Services {
		paths = append(paths, s.Dir+"/deploy/observability/rules.yaml", s.Dir+"/deploy/observability/dashboard.json")
	}
	var files []plan.File
	for _, file := range paths {
		content, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		if !lint.IsWatching(file) {
			t.Errorf("the queries of %s are not looked at", file)
		}
		files = append(files, plan.File{Path: file, Content: content})
	}
	return m, files
}

func TestTheQueriesOfTheShopAreProven(t *testing.T) {
	m, files := watched(t)
	if problems := lint.Queries(m, files); len(problems) > 0 {
		t.Error(problems)
	}
}

// expression is a PromQL expression and what has it.
type expression struct{ in, expr string }

// expressions are those of the files, by what these say as YAML and JSON.
func expressions(t *testing.T, files []plan.File) []expression {
	t.Helper()
	var all []expression
	for _, f := range files {
		add := func(what, expr string) { all = append(all, expression{f.Path + ": " + what, expr}) }
		var file struct {
			Groups []struct {
				Rules []struct{ Record, Alert, Expr string }
			}
			Panels []struct {
				Title   string
				Targets []struct {
					Expr       string
					Datasource struct{ Type string }
				}
			}
			Templating struct {
				List []struct {
					Name  string
					Query any // a text, or an object that has it
				}
			}
		}
		if err := yaml.Unmarshal(f.Content, &file); err != nil { // JSON is YAML
			t.Fatal(err)
		}
		for _, g := range file.Groups {
			for _, r := range g.Rules {
				if r.Alert != "" {
					add("the alert "+r.Alert, r.Expr)
				} else {
					add("the recording rule "+r.Record, r.Expr)
				}
			}
		}
		for _, p := range file.Panels {
			for _, target := range p.Targets {
				if target.Datasource.Type == "prometheus" {
					add(`the panel "`+p.Title+`"`, target.Expr)
				}
			}
		}
		for _, v := range file.Templating.List {
			add("the variable "+v.Name, fmt.Sprint(v.Query))
		}
	}
	return all
}

// asking are those expressions that name the series, as often as they do.
func asking(all []expression, series string) []string {
	named := regexp.MustCompile(`\b` + series + `\b`)
	var found []string
	for _, e := range all {
		for range named.FindAllString(e.expr, -1) {
			found = append(found, e.in)
		}
	}
	slices.Sort(found)
	return found
}

// TestARenamedMetricNamesWhatItBreaks renames one metric of the chassis, and then all of them. Every rule, panel and variable that asks for one is
// named with it, as often as it does, and nothing else is.
func TestARenamedMetricNamesWhatItBreaks(t *testing.T) {
	m, files := watched(t)
	all := expressions(t, files)
	for _, only := range []string{metric.ClientBreakerState.Name, ""} {
		renamed, want := metric.All(), map[string][]string{}
		for i, d := range renamed {
			if only != "" && d.Name != only {
				continue
			}
			renamed[i].Name += "x"
			for _, series := range d.Series() {
				if found := asking(all, series); found != nil {
					want[series] = found
				}
			}
		}
		got := map[string][]string{}
		for _, p := range lint.ProveQueries(m, files, renamed) {
			what, rest, _ := strings.Cut(p.Message, " asks for the metric ")
			series, _, _ := strings.Cut(rest, ":")
			got[series] = append(got[series], p.File+": "+what)
			if i := slices.IndexFunc(renamed, func(d metric.Definition) bool { return strings.Contains(p.Remedy, "did you mean "+d.Name) }); i < 0 {
				t.Errorf("the remedy does not tell the new name: %s", p)
			}
		}
		for series := range got {
			slices.Sort(got[series])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("renamed %q: asked for by (-), named (+)\n%s", only, diff)
		}
		if len(want) == 0 {
			t.Errorf("renaming %q breaks nothing", only)
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

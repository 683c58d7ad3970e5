package dashboard_test

import (
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/trellis-mesh/trellis/internal/render/dashboard"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// root is the sample platform's.
const root = "../../.."

// everything gives the dashboards of the sample platform by UID.
func everything(t *testing.T) map[string]*dashboard.Dashboard {
	t.Helper()
	m, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dashboard.Dashboard{}
	for _, s := range m.Services {
		d := dashboard.Service(m, s)
		all[d.UID] = d
	}
	for _, d := range dashboard.Platform() {
		all[d.UID] = d
	}
	if len(all) != len(m.Services)+4 {
		t.Fatalf("%d dashboards for %d services: some share a UID", len(all), len(m.Services))
	}
	return all
}

// grafana holds parts of Grafana's own schema.
type grafana map[string]*jsonschema.Schema

func newGrafana(t *testing.T) grafana {
	t.Helper()
	file, err := os.Open("testdata/grafana.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("grafana.json", doc); err != nil {
		t.Fatal(err)
	}
	g := grafana{}
	for _, part := range []string{
		"dashboard", "panel", "row", "timeseries", "timeseriesField", "table", "tableField", "stat", "logs", "nodeGraph", "stateTimeline", "stateTimelineField", "lokiQuery",
	} {
		if g[part], err = c.Compile("grafana.json#/definitions/Grafana/properties/" + part); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// validate gives what Grafana would not understand of a dashboard's text.
func (g grafana) validate(t *testing.T, text []byte) []error {
	t.Helper()
	var d any
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	var errs []error
	check := func(part string, value any) {
		if g[part] == nil || value == nil {
			return
		}
		if err := g[part].Validate(value); err != nil {
			errs = append(errs, err)
		}
	}
	check("dashboard", d)
	for _, one := range d.(map[string]any)["panels"].([]any) {
		p := one.(map[string]any)
		kind := strings.NewReplacer("state-timeline", "stateTimeline").Replace(p["type"].(string))
		if kind == "row" {
			check("row", p)
			continue
		}
		if g[kind] == nil {
			t.Fatalf("the panel %v is a %s, of which no schema is known", p["title"], kind)
		}
		check("panel", p)
		check(kind, p["options"])
		if config, ok := p["fieldConfig"].(map[string]any); ok {
			check(kind+"Field", config["defaults"].(map[string]any)["custom"])
		}
		targets, _ := p["targets"].([]any)
		for _, target := range targets {
			if source := target.(map[string]any)["datasource"].(map[string]any); source["type"] == "loki" {
				check("lokiQuery", target)
			}
		}
	}
	return errs
}

func TestGrafanaUnderstandsEveryDashboard(t *testing.T) {
	g := newGrafana(t)
	for uid, d := range everything(t) {
		text, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range g.validate(t, text) {
			t.Errorf("%s: %v", uid, err)
		}
	}
}

func TestGrafanaSchemaFindsMistakes(t *testing.T) {
	g := newGrafana(t)
	text, err := everything(t)[dashboard.ServiceUID("orders")].JSON()
	if err != nil {
		t.Fatal(err)
	}
	if errs := g.validate(t, text); len(errs) > 0 {
		t.Fatal(errs)
	}
	for old, mistaken := range map[string]string{
		`"graphTooltip": 1`:         `"graphTooltips": 1`,
		`"drawStyle": "line"`:       `"drawStyle": "curve"`,
		`"colorMode": "value"`:      `"colorMode": "rainbow"`,
		`"gridPos": {`:              `"gridPosition": {`,
		`"rowHeight": 0.9`:          `"rowHeight": "high"`,
		`"sortOrder": "Descending"`: `"sortOrder": "newest"`,
		`"wrapLogMessage": true`:    `"wrapLogMessage": "yes"`,
	} {
		wrong := strings.Replace(string(text), old, mistaken, 1)
		if wrong == string(text) {
			t.Errorf("no dashboard has %s", old)
		} else if len(g.validate(t, []byte(wrong))) == 0 {
			t.Errorf("%s went through", mistaken)
		}
	}
}

func rows(d *dashboard.Dashboard) []string {
	var titles []string
	for _, p := range d.Panels {
		if p.Type == "row" {
			titles = append(titles, p.Title)
		}
	}
	return titles
}

func TestServiceHasPanelsForWhatItHas(t *testing.T) {
	m := &spec.Model{Platform: &spec.Platform{Name: "shop"}}
	plain := &spec.Service{Name: "plain", Dir: "services/plain"}
	for name, want := range map[string]struct {
		change func(s *spec.Service)
		row    string
	}{
		"calls":     {func(s *spec.Service) { s.Calls = map[string]*spec.Call{"users": {}} }, "Dependencies"},
		"database":  {func(s *spec.Service) { s.Database.Kind = "postgres" }, "Database"},
		"cache":     {func(s *spec.Service) { s.Cache.Kind = "redis" }, "Cache"},
		"publishes": {func(s *spec.Service) { s.Events.Publishes = []string{"a.b.v1"} }, "Events out"},
		"consumes":  {func(s *spec.Service) { s.Events.Consumes = []string{"a.b.v1"} }, "Events in"},
	} {
		t.Run(name, func(t *testing.T) {
			if slices.Contains(rows(dashboard.Service(m, plain)), want.row) {
				t.Errorf("a service without %s has panels for it", name)
			}
			has := *plain
			want.change(&has)
			if !slices.Contains(rows(dashboard.Service(m, &has)), want.row) {
				t.Errorf("a service with %s has no panels for it", name)
			}
		})
	}
}

func TestThresholdsFollowTheObjectives(t *testing.T) {
	s := &spec.Service{Name: "plain", SLO: spec.SLO{Availability: 99.5, Latency: spec.Latency{Percentile: 95, Under: 250_000_000}, Window: 30 * 24 * 3600e9}}
	text, err := dashboard.Service(&spec.Model{Platform: &spec.Platform{}}, s).JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"value": 0.25`, `"value": 0.005`, `histogram_quantile(0.95`, `p95 latency`, `Availability over 30d`, `Answered within 250ms`,
		`errors:ratio_rate6h{service=\"plain\"}) / 0.005"`, `slow:ratio_rate6h{service=\"plain\"}) / 0.05"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is nowhere", want)
		}
	}
}

// withoutExemplars are histograms that the chassis, Istio or the shop keeps without exemplars.
var withoutExemplars = []string{"outbox_delay_seconds", "saga_duration_seconds", "twophase_duration_seconds", "pilot_", "istio_", "orders_settling_seconds"}

func TestLatencyLeadsToTraces(t *testing.T) {
	found := 0
	for uid, d := range everything(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				if p.Type != "timeseries" || !strings.Contains(target.Expr, "histogram_quantile") ||
					slices.ContainsFunc(withoutExemplars, func(name string) bool { return strings.Contains(target.Expr, name) }) {
					continue
				}
				found++
				if !target.Exemplar {
					t.Errorf("%s: the panel %q shows no exemplars", uid, p.Title)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no panel shows latency")
	}
}

func TestQueriesOnDiskAreWhole(t *testing.T) {
	queries, err := dashboard.Queries(os.DirFS(root), map[string]string{"__rate_interval": "42s"})
	if err != nil {
		t.Fatal(err)
	}
	needs, sources, filled := map[string]int{}, map[string]int{}, 0
	for _, q := range queries {
		if names := dashboard.Variables(q.Expr); len(names) > 0 {
			t.Errorf("%s: %v have no value in %s", q, names, q.Expr)
		}
		if strings.Contains(q.Expr, "[42s]") {
			filled++
		}
		needs[q.Needs()]++
		sources[q.Source]++
	}
	for _, need := range []string{"", dashboard.Envoy, dashboard.Istiod, dashboard.Istio} {
		if needs[need] == 0 {
			t.Errorf("no query needs %q", need)
		}
	}
	if filled == 0 || sources["prometheus"] == 0 || sources["loki"] == 0 {
		t.Errorf("%d queries have the given interval; sources: %v", filled, sources)
	}
	if !slices.ContainsFunc(queries, func(q dashboard.Query) bool {
		return q.Panel == "variable operation" && q.Expr == `group by (operation) (http_requests_total{service="orders"})`
	}) {
		t.Error("the choices of the variable operation of orders are not among the queries")
	}
}

func TestLongNamesGetShortUIDs(t *testing.T) {
	long := strings.Repeat("a", 60)
	one, other := dashboard.ServiceUID(long+"x"), dashboard.ServiceUID(long+"y")
	if len(one) > 40 || one == other {
		t.Errorf("UIDs %s and %s", one, other)
	}
	if got := dashboard.ServiceUID("orders"); got != "trellis-service-orders" {
		t.Errorf("UID %s", got)
	}
}

func TestExploreLinksAreQueries(t *testing.T) {
	for _, d := range everything(t) {
		for _, l := range d.Links {
			_, query, ok := strings.Cut(l.URL, "panes=")
			if !ok {
				continue
			}
			if !strings.Contains(query, "${__from}") || !strings.Contains(query, "${__to}") {
				t.Errorf("%s: %s does not keep the time", d.UID, l.Title)
			}
			text, err := url.QueryUnescape(query)
			var panes map[string]struct {
				Datasource string `json:"datasource"`
				Queries    []any  `json:"queries"`
			}
			if err == nil {
				err = json.Unmarshal([]byte(text), &panes)
			}
			if err != nil || len(panes["a"].Queries) != 1 || panes["a"].Datasource == "" {
				t.Errorf("%s: %s leads to %s: %v", d.UID, l.Title, text, err)
			}
		}
	}
}

package dashboard

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Query is one expression of a dashboard that lies on disk, with its variables filled in.
type Query struct {
	File      string // the dashboard's file
	Dashboard string // its UID
	Panel     string // the panel's title, or variable NAME for the choices of a variable
	RefID     string
	Source    string // prometheus or loki
	Expr      string
	Instant   bool // asked for one moment and not for a range
}

// String names the query for a person.
func (q Query) String() string { return q.Dashboard + " / " + q.Panel + " / " + q.RefID }

// Who has the data of a query that services do not have.
const (
	Envoy  = "envoy"  // any sidecar
	Istiod = "istiod" // Istio's control plane
	Istio  = "istio"  // sidecars of Istio's own build
)

var ofMesh = regexp.MustCompile(`\b(envoy|pilot|istio)_[a-z_]+`)

// Needs says which part of a mesh must run for the query to have data: Envoy, Istiod, Istio, or "" for none. A name of a metric says so.
func (q Query) Needs() string {
	found := ofMesh.FindStringSubmatch(q.Expr)
	if found == nil {
		return ""
	}
	return map[string]string{"envoy": Envoy, "pilot": Istiod, "istio": Istio}[found[1]]
}

// Usual are values for what Grafana fills in by itself; for tests, in which a minute is long.
func Usual() map[string]string {
	return map[string]string{"__rate_interval": "1m", "__interval": "15s", "__range": "5m", "__auto": "1m"}
}

// Files are the dashboards among the platform's files, sorted.
func Files(fsys fs.FS) ([]string, error) {
	var all []string
	for _, pattern := range []string{"services/*/deploy/observability/dashboard.json", "observability/grafana/dashboards/*.json"} {
		found, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return all, nil
}

// IsDashboard tells whether a file, by its path, is a dashboard.
func IsDashboard(file string) bool {
	return strings.HasSuffix(file, "/deploy/observability/dashboard.json") || path.Dir(file) == "observability/grafana/dashboards" && path.Ext(file) == ".json"
}

// Queries lists the queries of all dashboards of the platform at fsys. Variables have the values in vars, by name; else what the
// dashboard chooses at first.
func Queries(fsys fs.FS, vars map[string]string) ([]Query, error) {
	files, err := Files(fsys)
	if err != nil {
		return nil, err
	}
	var all []Query
	for _, file := range files {
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		var d Dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("%s is no dashboard: %w", file, err)
		}
		for _, q := range d.Queries(vars) {
			q.File = file
			all = append(all, q)
		}
	}
	return all, nil
}

// Queries lists the dashboard's queries; see the function of that name.
func (d *Dashboard) Queries(vars map[string]string) []Query {
	values := d.values(vars)
	var all []Query
	for _, v := range d.Templating.List {
		if expr := v.choices(); expr != "" {
			all = append(all, Query{Dashboard: d.UID, Panel: "variable " + v.Name, RefID: "A", Source: v.Datasource.Type, Expr: fill(expr, values), Instant: true})
		}
	}
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			all = append(all, Query{
				Dashboard: d.UID, Panel: p.Title, RefID: t.RefID, Source: t.Datasource.Type, Expr: fill(t.Expr, values), Instant: t.Instant,
			})
		}
	}
	return all
}

// values are those of all variables.
func (d *Dashboard) values(vars map[string]string) map[string]string {
	values := Usual()
	for _, v := range d.Templating.List {
		switch {
		case v.Current == nil:
		case v.Current.Value == "$__all":
			values[v.Name] = v.AllValue
		default:
			values[v.Name] = v.Current.Value
		}
	}
	maps.Copy(values, vars)
	return values
}

var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// choices is the query for the values that a variable may have, as Prometheus itself understands it; "" when there is none.
func (v Variable) choices() string {
	query, ok := v.Query.(map[string]any)
	if !ok {
		return ""
	}
	text, _ := query["query"].(string)
	found := labelValues.FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	return fmt.Sprintf("group by (%s) (%s)", found[2], found[1])
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_]\w*)(?::\w+)?\}|\$([A-Za-z_]\w*)`)

// fill puts values in the place of variables. One without a value stays.
func fill(expr string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(expr, func(found string) string {
		if value, ok := values[variableName(found)]; ok {
			return value
		}
		return found
	})
}

func variableName(found string) string {
	m := variable.FindStringSubmatch(found)
	return m[1] + m[2]
}

// Variables names the variables in a text, in their order.
func Variables(text string) []string {
	var names []string
	for _, found := range variable.FindAllString(text, -1) {
		names = append(names, variableName(found))
	}
	return names
}

package lint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/render/dashboard"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// What Grafana allows of a dashboard.
const (
	dashboardColumns = 24
	dashboardUID     = 40
)

// provisioned are the UIDs of the data sources that observability/grafana/datasources.yaml gives Grafana.
var provisioned = []string{"prometheus", "jaeger", "loki"}

// dashboards proves that the dashboards among the files can be read, by Grafana and by people: panels that lie side by side, and have a
// title, a description, a unit and named series; UIDs that are there once; data sources, variables and linked dashboards that exist.
func dashboards(files []plan.File) spec.Problems {
	var problems spec.Problems
	byUID, checked := map[string]string{}, []*boardCheck{}
	for _, f := range files {
		if !dashboard.IsDashboard(f.Path) {
			continue
		}
		b := &boardCheck{file: f.Path, problems: &problems}
		if err := json.Unmarshal(f.Content, &b.board); err != nil {
			b.add("%v", fmt.Errorf("the dashboard cannot be read: %w", err))
			continue
		}
		if other, taken := byUID[b.board.UID]; taken {
			b.add("the UID %s is also that of %s, and Grafana would show one of them", b.board.UID, other)
		}
		byUID[b.board.UID] = f.Path
		checked = append(checked, b)
	}
	for _, b := range checked {
		b.whole()
		b.panels()
		b.linked(byUID)
	}
	return problems
}

// boardCheck is a dashboard while it is checked.
type boardCheck struct {
	file     string
	board    dashboard.Dashboard
	problems *spec.Problems
}

func (b *boardCheck) add(format string, args ...any) {
	b.problems.Add(spec.Position{File: b.file, Line: 1, Column: 1}, syncAgain, format, args...)
}

// whole checks what is said of the dashboard itself.
func (b *boardCheck) whole() {
	switch uid := b.board.UID; {
	case uid == "":
		b.add("the dashboard has no UID, so no link to it would last")
	case len(uid) > dashboardUID:
		b.add("the UID %s has %d characters, but Grafana takes %d", uid, len(uid), dashboardUID)
	}
	if b.board.Title == "" || b.board.Description == "" {
		b.add("the dashboard needs a title and a description")
	}
	for _, v := range b.board.Templating.List {
		if v.Current == nil || v.Current.Value == "" {
			b.add("the variable %s has no value at first, so its panels would begin empty", v.Name)
		}
		if v.IncludeAll && v.AllValue == "" {
			b.add("the variable %s has no value for All", v.Name)
		}
	}
}

func (b *boardCheck) panels() {
	titles, ids := map[string]bool{}, map[int]bool{}
	for i, p := range b.board.Panels {
		switch at := p.GridPos; {
		case at.W < 1 || at.H < 1 || at.X < 0 || at.Y < 0:
			b.add("the panel %q has no size", p.Title)
		case at.X+at.W > dashboardColumns:
			b.add("the panel %q reaches to column %d, but there are %d", p.Title, at.X+at.W, dashboardColumns)
		}
		for _, other := range b.board.Panels[:i] {
			if overlap(p.GridPos, other.GridPos) {
				b.add("the panels %q and %q lie on each other", other.Title, p.Title)
			}
		}
		if p.Title == "" {
			b.add("panel %d has no title", p.ID)
		} else if titles[p.Title] && p.Type != "row" {
			b.add("two panels are called %q", p.Title)
		}
		if ids[p.ID] {
			b.add("two panels have the id %d", p.ID)
		}
		titles[p.Title], ids[p.ID] = titles[p.Title] || p.Type != "row", true
		if p.Type != "row" {
			b.panel(p)
		}
	}
}

func overlap(a, b dashboard.GridPos) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

// panel checks what one panel says and shows.
func (b *boardCheck) panel(p dashboard.Panel) {
	if p.Description == "" {
		b.add("the panel %q has no description", p.Title)
	}
	if p.Type != "logs" && (p.FieldConfig == nil || p.FieldConfig.Defaults.Unit == "") {
		b.add("the panel %q has no unit", p.Title)
	}
	if len(p.Targets) == 0 {
		b.add("the panel %q asks nothing", p.Title)
	}
	refs := map[string]bool{}
	for _, t := range p.Targets {
		if refs[t.RefID] {
			b.add("the panel %q has two queries %s", p.Title, t.RefID)
		}
		refs[t.RefID] = true
		if strings.TrimSpace(t.Expr) == "" {
			b.add("the query %s of the panel %q is empty", t.RefID, p.Title)
		}
		if p.Type != "logs" && t.LegendFormat == "" {
			b.add("the query %s of the panel %q has no legend, so its series would have no names", t.RefID, p.Title)
		}
		b.source(p, t.Datasource)
		for _, name := range dashboard.Variables(t.Expr) {
			b.declared(p, name)
		}
	}
	if p.Datasource == nil {
		b.add("the panel %q has no data source", p.Title)
	} else {
		b.source(p, *p.Datasource)
	}
}

// source checks that a data source is provisioned, or chosen by a variable.
func (b *boardCheck) source(p dashboard.Panel, source dashboard.Source) {
	if names := dashboard.Variables(source.UID); len(names) > 0 {
		b.declared(p, names[0])
		return
	}
	if !slices.Contains(provisioned, source.UID) {
		b.add("the panel %q asks the data source %q, which Grafana does not have: use %s or the variable datasource", p.Title, source.UID, strings.Join(provisioned, ", "))
	}
}

func (b *boardCheck) declared(p dashboard.Panel, name string) {
	if strings.HasPrefix(name, "__") { // Grafana's own
		return
	}
	if !slices.ContainsFunc(b.board.Templating.List, func(v dashboard.Variable) bool { return v.Name == name }) {
		b.add("the panel %q uses the variable $%s, which the dashboard does not have", p.Title, name)
	}
}

// linked checks that links lead to dashboards that are there.
func (b *boardCheck) linked(byUID map[string]string) {
	var addresses []string
	for _, l := range b.board.Links {
		addresses = append(addresses, l.URL)
	}
	for _, p := range b.board.Panels {
		if p.FieldConfig == nil {
			continue
		}
		for _, l := range p.FieldConfig.Defaults.Links {
			addresses = append(addresses, l.URL)
		}
	}
	platform := slices.ContainsFunc([]string{dashboard.OverviewUID, dashboard.MeshUID}, func(uid string) bool { return byUID[uid] != "" })
	for _, address := range addresses {
		rest, ok := strings.CutPrefix(address, "/d/")
		if !ok {
			continue
		}
		uid, _, _ := strings.Cut(rest, "?")
		// Files may be those of some services only; and a UID with a variable is one of many.
		if platform && byUID[uid] == "" && !strings.Contains(rest, "${__field") && !strings.Contains(rest, "${__data") {
			b.add("a link leads to the dashboard %s, which is not there", uid)
		}
	}
}

package dashboard

import (
	"fmt"
	"strings"
)

// Where the data comes from: the data sources as Grafana is provisioned with them. Whoever has several Prometheus servers chooses one
// in the variable datasource.
var (
	prometheusSource = Source{Type: "prometheus", UID: "${datasource}"}
	lokiSource       = Source{Type: "loki", UID: "loki"}
)

// Units by Grafana's names.
const (
	perSecond = "reqps"
	events    = "cps"
	seconds   = "s"
	share     = "percentunit"
	bytesUnit = "bytes"
	count     = "short"
	days      = "d"
)

const columns = 24

// board is a dashboard while it is made. Panels are placed from left to right, in lines of one height.
type board struct {
	*Dashboard
	id, x, y, height int
}

// row begins a group of panels.
func (b *board) row(title string) {
	b.newLine()
	b.id++
	closed, none := false, []Panel{}
	b.Panels = append(b.Panels, Panel{
		ID: b.id, Type: "row", Title: title, Collapsed: &closed, Panels: &none, GridPos: GridPos{H: 1, W: columns, Y: b.y},
	})
	b.y++
}

func (b *board) newLine() {
	b.y, b.x, b.height = b.y+b.height, 0, 0
}

// place puts a panel of that size at the next place that has room for it.
func (b *board) place(width, height int, p Panel) {
	if b.x+width > columns {
		b.newLine()
	}
	b.id++
	p.ID, p.GridPos = b.id, GridPos{H: height, W: width, X: b.x, Y: b.y}
	b.x, b.height = b.x+width, max(b.height, height)
	b.Panels = append(b.Panels, p)
}

// graphs places panels of one line, all as wide as there is room for.
func (b *board) graphs(panels ...Panel) {
	b.newLine()
	for _, p := range panels {
		b.place(columns/len(panels), 8, p)
	}
	b.newLine()
}

// stats places single numbers in one line.
func (b *board) stats(panels ...Panel) {
	b.newLine()
	for _, p := range panels {
		b.place(columns/len(panels), 4, p)
	}
	b.newLine()
}

// query is one expression of a panel and how its series are called.
type query struct {
	expr, legend string
}

// option changes a panel that is being made.
type option func(*Panel)

// base is what panels of all kinds begin with.
func base(kind, title, description, unit string, queries []query, options []option) Panel {
	source := prometheusSource
	p := Panel{
		Type: kind, Title: title, Description: description, Datasource: &source,
		FieldConfig: &FieldConfig{
			Defaults:  Defaults{Unit: unit, Color: map[string]any{"mode": "palette-classic"}, Custom: map[string]any{}},
			Overrides: []Override{},
		},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, Target{
			RefID: string(rune('A' + i)), Datasource: prometheusSource, Expr: q.expr, LegendFormat: q.legend, EditorMode: "code", Range: true,
		})
	}
	for _, o := range options {
		o(&p)
	}
	return p
}

// graph shows values over time.
func graph(title, description, unit string, queries []query, options ...option) Panel {
	draw := func(p *Panel) {
		p.FieldConfig.Defaults.Custom = map[string]any{
			"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": false, "thresholdsStyle": map[string]any{"mode": "off"},
		}
		p.FieldConfig.Defaults.Min = number(0)
		p.Options = map[string]any{
			"legend":  map[string]any{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		}
	}
	return base("timeseries", title, description, unit, queries, append([]option{draw}, options...))
}

// stat shows the last value of each query as a number.
func stat(title, description, unit string, queries []query, options ...option) Panel {
	draw := func(p *Panel) {
		p.FieldConfig.Defaults.Color = map[string]any{"mode": "thresholds"}
		p.FieldConfig.Defaults.Thresholds = steps(Step{Color: "green"})
		p.FieldConfig.Defaults.Custom = nil
		p.Options = map[string]any{
			"colorMode": "value", "graphMode": "area", "justifyMode": "auto", "orientation": "auto", "textMode": "auto", "wideLayout": true,
			"showPercentChange": false, "percentChangeColorMode": "standard",
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		}
	}
	return base("stat", title, description, unit, queries, append([]option{draw}, options...))
}

// timeline shows states over time, one bar a series.
func timeline(title, description string, queries []query, mappings map[string]Text, options ...option) Panel {
	draw := func(p *Panel) {
		p.FieldConfig.Defaults.Color = map[string]any{"mode": "thresholds"}
		p.FieldConfig.Defaults.Thresholds = steps(Step{Color: "green"})
		p.FieldConfig.Defaults.Mappings = []any{map[string]any{"type": "value", "options": mappings}}
		p.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 70, "lineWidth": 0}
		p.Options = map[string]any{
			"mergeValues": true, "showValue": "auto", "alignValue": "left", "rowHeight": 0.9,
			"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
			"tooltip": map[string]any{"mode": "single", "sort": "none"},
		}
	}
	return base("state-timeline", title, description, count, queries, append([]option{draw}, options...))
}

// Text is how a value is told.
type Text struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

// column is one column of a table: a query, or, without an expression, the label that the lines are told apart by.
type column struct {
	title, expr, unit string
	links             []DataLink
	thresholds        *Thresholds
}

// table shows the present values of several queries, one line for each value of a label or several.
func table(title, description string, labels, values []column) Panel {
	p := base("table", title, description, count, nil, nil)
	p.FieldConfig.Defaults.Color = nil
	p.FieldConfig.Defaults.Custom = map[string]any{"align": "auto", "filterable": true, "inspect": false, "cellOptions": map[string]any{"type": "auto"}}
	p.Options = map[string]any{"showHeader": true, "cellHeight": "sm", "frameIndex": 0}
	rename, order, hidden := map[string]string{}, map[string]int{}, map[string]bool{"Time": true}
	for _, c := range labels {
		rename[c.expr], order[c.expr] = c.title, len(order)
		p.column(c)
	}
	for i, c := range values {
		ref := string(rune('A' + i))
		p.Targets = append(p.Targets, Target{
			RefID: ref, Datasource: prometheusSource, Expr: c.expr, LegendFormat: c.title, EditorMode: "code", Format: "table", Instant: true,
		})
		field := "Value #" + ref
		if len(values) == 1 {
			field = "Value"
		}
		rename[field], order[field] = c.title, len(order)
		p.column(c)
	}
	p.Transformations = []Transformation{
		{ID: "merge", Options: map[string]any{}},
		{ID: "organize", Options: map[string]any{"excludeByName": hidden, "indexByName": order, "renameByName": rename}},
	}
	return p
}

// column shows a table's column in its unit, with its links and colours.
func (p *Panel) column(c column) {
	o := Override{Matcher: Matcher{ID: "byName", Options: c.title}}
	if c.unit != "" {
		o.Properties = append(o.Properties, Property{"unit", c.unit})
	}
	if len(c.links) > 0 {
		o.Properties = append(o.Properties, Property{"links", c.links})
	}
	if c.thresholds != nil {
		o.Properties = append(o.Properties, Property{"thresholds", c.thresholds},
			Property{"custom.cellOptions", map[string]any{"type": "color-text"}})
	}
	if len(o.Properties) > 0 {
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, o)
	}
}

// nodeGraph shows services and who calls whom.
func nodeGraph(title, description string, nodes, edges string) Panel {
	p := base("nodeGraph", title, description, perSecond, nil, nil)
	p.FieldConfig.Defaults.Color, p.FieldConfig.Defaults.Custom = nil, nil
	p.Options = map[string]any{
		"nodes": map[string]any{"mainStatUnit": perSecond}, "edges": map[string]any{"mainStatUnit": perSecond},
		"layoutAlgorithm": "layered", "zoomMode": "cooperative",
	}
	for _, q := range []struct{ ref, expr string }{{"nodes", nodes}, {"edges", edges}} {
		p.Targets = append(p.Targets, Target{
			RefID: q.ref, Datasource: prometheusSource, Expr: q.expr, LegendFormat: q.ref, EditorMode: "code", Format: "table", Instant: true,
		})
	}
	// The panel knows its fields by these names.
	p.Transformations = []Transformation{{ID: "organize", Options: map[string]any{
		"excludeByName": map[string]bool{"Time": true}, "indexByName": map[string]int{},
		"renameByName": map[string]string{"Value": "mainstat", "Value #nodes": "mainstat", "Value #edges": "mainstat"},
	}}}
	return p
}

// logs shows log lines.
func logs(title, description, expr string) Panel {
	source := lokiSource
	return Panel{
		Type: "logs", Title: title, Description: description, Datasource: &source,
		Targets:     []Target{{RefID: "A", Datasource: lokiSource, Expr: expr, EditorMode: "code", QueryType: "range", Range: true, MaxLines: 200}},
		FieldConfig: &FieldConfig{Overrides: []Override{}},
		Options: map[string]any{
			"dedupStrategy": "none", "enableLogDetails": true, "prettifyLogMessage": false, "showCommonLabels": false, "showLabels": false,
			"showTime": true, "sortOrder": "Descending", "wrapLogMessage": true, "showLogContextToggle": true,
		},
	}
}

// exemplars shows single requests beside the lines, each with a link to its trace.
func exemplars(p *Panel) {
	for i := range p.Targets {
		p.Targets[i].Exemplar = true
	}
}

// stacked puts the lines on top of each other.
func stacked(p *Panel) {
	p.FieldConfig.Defaults.Custom["stacking"] = map[string]any{"mode": "normal", "group": "A"}
	p.FieldConfig.Defaults.Custom["fillOpacity"] = 30
}

// overLoki makes the queries those of Loki.
func overLoki(p *Panel) {
	source := lokiSource
	p.Datasource = &source
	for i := range p.Targets {
		p.Targets[i].Datasource, p.Targets[i].QueryType = lokiSource, "range"
	}
}

// linked leads from each value to what is behind it.
func linked(links ...DataLink) option {
	return func(p *Panel) { p.FieldConfig.Defaults.Links = append(p.FieldConfig.Defaults.Links, links...) }
}

// above colours values from a limit on, and draws the limit into graphs.
func above(color string, limit float64) option {
	return within(Step{Color: "green"}, Step{Color: color, Value: &limit})
}

// atLeast colours values under a limit red.
func atLeast(limit float64) option {
	return within(Step{Color: "red"}, Step{Color: "green", Value: &limit})
}

func within(all ...Step) option {
	return func(p *Panel) {
		p.FieldConfig.Defaults.Thresholds = steps(all...)
		if p.Type == "timeseries" {
			p.FieldConfig.Defaults.Custom["thresholdsStyle"] = map[string]any{"mode": "dashed"}
		}
	}
}

func steps(all ...Step) *Thresholds { return &Thresholds{Mode: "absolute", Steps: all} }

// upToAll ends the axis at 100 %.
func upToAll(p *Panel) { p.FieldConfig.Defaults.Max = number(1) }

// unbounded lets the axis begin and end where the values do.
func unbounded(p *Panel) { p.FieldConfig.Defaults.Min = nil }

// absent is what a number shows while there is nothing to show.
func absent(text string) option {
	return func(p *Panel) { p.FieldConfig.Defaults.NoValue = text }
}

func number(f float64) *float64 { return &f }

// by is a list of labels as an aggregation has it.
func by(labels ...string) string { return "by (" + strings.Join(labels, ", ") + ")" }

// rate is a counter's growth a second. The selector stands without braces.
func rate(counter, selector string) string {
	return fmt.Sprintf("rate(%s{%s}[$__rate_interval])", counter, selector)
}

// sum adds up an expression by labels.
func sum(expr string, labels ...string) string {
	if len(labels) == 0 {
		return "sum(" + expr + ")"
	}
	return "sum " + by(labels...) + " (" + expr + ")"
}

// ratio is the share of a in b. Where nothing of a was counted, it is zero and not absent; where b is zero, it is absent.
func ratio(a, b string) string {
	return fmt.Sprintf("(%s or %s * 0) / (%s > 0)", a, b, b)
}

// quantile estimates a percentile of a histogram over the labels. A histogram in which nothing was observed gives nothing.
func quantile(q, histogram, selector string, labels ...string) string {
	return fmt.Sprintf("histogram_quantile(%s, sum %s (rate(%s_bucket{%s}[$__rate_interval]))) >= 0", q, by(append([]string{"le"}, labels...)...), histogram, selector)
}

// match joins matchers.
func match(matchers ...string) string {
	var all []string
	for _, m := range matchers {
		if m != "" {
			all = append(all, m)
		}
	}
	return strings.Join(all, ", ")
}

func is(label, value string) string   { return fmt.Sprintf("%s=%q", label, value) }
func like(label, value string) string { return fmt.Sprintf("%s=~%q", label, value) }
func isnt(label, value string) string { return fmt.Sprintf("%s!~%q", label, value) }

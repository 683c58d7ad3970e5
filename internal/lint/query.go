package lint

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// ruleFile is a file of Prometheus's rules.
type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Record word              `yaml:"record"`
			Alert  word              `yaml:"alert"`
			Expr   word              `yaml:"expr"`
			Labels map[string]string `yaml:"labels"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func queriesOfRules(f plan.File) (all []query, _ spec.Problems) {
	var file ruleFile
	if err := yaml.Unmarshal(f.Content, &file); err != nil {
		return nil, unreadable(f, err)
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			of := "the alert " + r.Alert.text
			if r.Record.text != "" {
				of = "the recording rule " + r.Record.text
			}
			all = append(all, query{
				at: spec.Position{File: f.Path, Line: r.Expr.line, Column: r.Expr.column}, of: of, text: r.Expr.text,
				record: r.Record.text, labels: slices.Sorted(maps.Keys(r.Labels)),
			})
		}
	}
	return all, nil
}

// dashboard is what the queries of a Grafana dashboard stand in.
type dashboardFile struct {
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name       string          `json:"name"`
			Type       string          `json:"type"`
			Datasource source          `json:"datasource"`
			Query      json.RawMessage `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Name       string `json:"name"`
			Expr       string `json:"expr"`
			Datasource source `json:"datasource"`
		} `json:"list"`
	} `json:"annotations"`
}

type panel struct {
	Title      string  `json:"title"`
	Panels     []panel `json:"panels"` // of a row that is folded
	Datasource source  `json:"datasource"`
	Targets    []struct {
		Datasource source `json:"datasource"`
		Expr       string `json:"expr"`
	} `json:"targets"`
}

// source is a data source; that of PromQL is called prometheus.
type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

func (s source) prometheus() bool { return s.Type == "prometheus" || s.UID == "prometheus" }

func queriesOfDashboard(f plan.File) (all []query, _ spec.Problems) {
	var file dashboardFile
	if err := json.Unmarshal(f.Content, &file); err != nil {
		return nil, unreadable(f, err)
	}
	at := spec.Position{File: f.Path}
	var walk func(panels []panel)
	walk = func(panels []panel) {
		for _, p := range panels {
			for _, t := range p.Targets {
				if t.Expr != "" && (t.Datasource.prometheus() || t.Datasource == source{} && p.Datasource.prometheus()) {
					all = append(all, query{at: at, of: `the panel "` + p.Title + `"`, text: withoutVariables(t.Expr)})
				}
			}
			walk(p.Panels)
		}
	}
	walk(file.Panels)
	for _, a := range file.Annotations.List {
		if a.Expr != "" && a.Datasource.prometheus() {
			all = append(all, query{at: at, of: `the annotation "` + a.Name + `"`, text: withoutVariables(a.Expr)})
		}
	}
	for _, v := range file.Templating.List {
		if v.Type != "query" || !v.Datasource.prometheus() {
			continue
		}
		if found := labelValues.FindStringSubmatch(variableQuery(v.Query)); found != nil {
			all = append(all, query{at: at, of: "the variable " + v.Name, text: withoutVariables(found[1]), group: found[2]})
		}
	}
	return all, nil
}

// labelValues is how a variable asks for the values of a label.
var labelValues = regexp.MustCompile(`^label_values\((.+),\s*(\w+)\)$`)

// variableQuery reads a variable's query, which Grafana writes as a text or as an object.
func variableQuery(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var object struct {
		Query string `json:"query"`
	}
	_ = json.Unmarshal(raw, &object) // what is neither asks for nothing
	return object.Query
}

// variable stands for a variable of Grafana that is no duration.
const variable = "grafana_variable"

var (
	windowVariable = regexp.MustCompile(`\[\$\{?\w+(:\w+)?\}?(:[^\]]*)?\]`)
	timeVariable   = regexp.MustCompile(`\$(__\w+|\{__\w+(:\w+)?\})`)
	anyVariable    = regexp.MustCompile(`\$(\w+|\{\w+(:\w+)?\})`)
)

// withoutVariables replaces the variables of Grafana by values, so that what is left is PromQL.
func withoutVariables(expr string) string {
	expr = windowVariable.ReplaceAllString(expr, "[5m$2]")
	expr = timeVariable.ReplaceAllString(expr, "5m")
	return anyVariable.ReplaceAllString(expr, variable)
}

package render

import (
	"fmt"
	"go/token"
	"go/types"
	"strings"

	"github.com/trellis-mesh/trellis/internal/render/rule"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// Rules gives the rules that Prometheus watches the service of that name with, as they are in its folder but for the scale: a test
// has time pass faster.
func Rules(m *spec.Model, name string, scale rule.Scale) ([]byte, error) {
	s := m.Service(name)
	if s == nil {
		return nil, fmt.Errorf("rules of %s: there is no such service", name)
	}
	return []byte(rulesOf(m.Platform, s, scale).YAML()), nil
}

func rulesOf(p *spec.Platform, s *spec.Service, scale rule.Scale) *rule.File {
	return rule.Of(s, rule.Options{Scale: scale, Runbooks: p.Observability.Runbooks, Grafana: p.Observability.Grafana})
}

// Rules are the service's rules as YAML.
func (d *service) Rules() string { return rulesOf(d.Platform, d.Service, 1).YAML() }

// RulesTests are the unit tests of the rules.
func (d *service) RulesTests() string { return rulesOf(d.Platform, d.Service, 1).Tests("rules.yaml") }

// ownMetric is a metric of the service's own, as Go code keeps it.
type ownMetric struct {
	spec.Metric
	Go     string   // Settled
	Field  string   // settled
	Kind   string   // Counter, Gauge or Histogram
	Result string   // what a method gives: Counter, Gauge or Observer
	Args   []string // the labels, as parameters
}

// OwnMetrics are the metrics that service.yaml declares. Their Go names leave out the service's and what counters end in.
func (d *service) OwnMetrics() []ownMetric {
	var all []ownMetric
	for _, m := range d.Metrics {
		short := strings.TrimPrefix(m.Name, strings.ReplaceAll(d.Name, "-", "_")+"_")
		short = strings.ReplaceAll(strings.TrimSuffix(short, "_total"), "_", "-")
		own := ownMetric{Metric: m, Go: goName(short), Field: identifier(short), Kind: strings.ToUpper(m.Type[:1]) + m.Type[1:]}
		if own.Result = own.Kind; own.Kind == "Histogram" {
			own.Result = "Observer"
		}
		for _, label := range m.Labels {
			own.Args = append(own.Args, identifier(strings.ReplaceAll(label, "_", "-")))
		}
		all = append(all, own)
	}
	return all
}

// identifier makes a name of words that a parameter or a field may have.
func identifier(s string) string {
	name := lowerCamel(s)
	if token.IsKeyword(name) || types.Universe.Lookup(name) != nil || name == "m" {
		return name + "Value"
	}
	return name
}

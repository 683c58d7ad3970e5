package lint

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// Queries proves every PromQL expression in the rules and dashboards among the files: each is PromQL, and each metric and label that it
// names exists, by what the chassis defines for the features of the service that it asks about, by the metrics of service.yaml, by what
// other rules record, or by what Prometheus and the mesh are known to have.
func Queries(m *spec.Model, files []plan.File) spec.Problems {
	return proveQueries(m, files, metric.All())
}

// proveQueries is Queries with a chassis that defines these metrics.
func proveQueries(m *spec.Model, files []plan.File, definitions []metric.Definition) spec.Problems {
	if len(m.Services) == 0 {
		return nil // there is nothing to watch, and no rule that records what the platform's dashboards show
	}
	q := &queries{model: m, definitions: definitions, records: map[string][]query{}, resolving: map[string]bool{}, memo: map[string]labelSet{}, platform: map[string]labelSet{},
		services: map[string]map[string]labelSet{}}
	var all []query
	for _, f := range files {
		found, problems := queriesIn(f)
		all = append(all, found...)
		q.problems = append(q.problems, problems...)
	}
	q.vocabulary()
	for i := range all {
		expr, err := parser.ParseExpr(all[i].text)
		if err != nil {
			q.problems.Add(all[i].at, "correct the query", "%s is no PromQL: %v", all[i].of, err)
			continue
		}
		all[i].expr = expr
		if all[i].record != "" {
			q.records[all[i].record] = append(q.records[all[i].record], all[i])
		}
	}
	for _, each := range all {
		if each.expr != nil {
			q.check(each)
		}
	}
	q.problems.Sort()
	return q.problems
}

// query is one expression and where it stands.
type query struct {
	at     spec.Position
	of     string // the rule ServiceDown, the panel "Requests"
	text   string // with Grafana's variables replaced
	record string // the name of what it gives, when it is a recording rule
	labels []string
	group  string // of label_values: the label that is asked for
	expr   parser.Expr
}

type labelSet map[string]bool

func setOf(lists ...[]string) labelSet {
	s := labelSet{}
	for _, list := range lists {
		for _, name := range list {
			s[name] = true
		}
	}
	return s
}

func (s labelSet) with(other labelSet) labelSet {
	all := maps.Clone(s)
	if all == nil {
		all = labelSet{}
	}
	maps.Copy(all, other)
	return all
}

type queries struct {
	model       *spec.Model
	definitions []metric.Definition
	problems    spec.Problems
	// platform are the labels of all series that any service can have, by name; services those that each has.
	platform  map[string]labelSet
	services  map[string]map[string]labelSet
	records   map[string][]query
	resolving map[string]bool
	memo      map[string]labelSet
}

// vocabulary gathers the series that there are. Those of the platform are all that the chassis can keep: its dashboards are ready for services
// that use what none uses yet.
func (q *queries) vocabulary() {
	for _, d := range q.definitions {
		defined(q.platform, d, true)
	}
	for _, s := range q.model.Services {
		own := map[string]labelSet{}
		for _, d := range q.definitions {
			if s.Has(d.Feature) {
				defined(own, d, len(s.Database.Shards) > 0)
			}
		}
		for _, m := range s.Metrics {
			series(own, m.Name, m.Type, m.Labels)
		}
		q.services[s.Name] = own
		for name, has := range own {
			q.platform[name] = q.platform[name].with(has)
		}
	}
}

// defined adds the time series of a metric of the chassis.
func defined(to map[string]labelSet, d metric.Definition, shards bool) {
	labels := slices.Clone(d.Labels)
	if d.Sharded && shards {
		labels = append(labels, "shard")
	}
	series(to, d.Name, string(d.Type), labels)
}

// series adds the time series of a metric.
func series(to map[string]labelSet, name, kind string, of []string) {
	all := setOf(of, targetLabels)
	if kind != string(metric.Histogram) {
		to[name] = all
		return
	}
	to[name] = all // a native histogram
	to[name+"_sum"], to[name+"_count"] = all, all
	to[name+"_bucket"] = all.with(labelSet{"le": true})
}

func (q *queries) check(each query) {
	out := q.out(each.expr, &each)
	if each.group != "" && !out[each.group] && !out[anyLabel] {
		q.unknownLabel(each, each.group, out)
	}
}

// out gives the labels of what an expression gives. With a query it reports what in it does not exist.
func (q *queries) out(node parser.Node, report *query) labelSet {
	switch e := node.(type) {
	case *parser.VectorSelector:
		return q.selector(e, report)
	case *parser.MatrixSelector:
		return q.out(e.VectorSelector, report)
	case *parser.AggregateExpr:
		inner := q.out(e.Expr, report)
		if e.Param != nil {
			q.out(e.Param, report)
		}
		return q.grouped(e, inner, report)
	case *parser.Call:
		return q.called(e, report)
	case *parser.BinaryExpr:
		return q.binary(e, report)
	case *parser.ParenExpr:
		return q.out(e.Expr, report)
	case *parser.UnaryExpr:
		return q.out(e.Expr, report)
	case *parser.SubqueryExpr:
		return q.out(e.Expr, report)
	case *parser.StepInvariantExpr:
		return q.out(e.Expr, report)
	}
	return labelSet{}
}

func (q *queries) grouped(e *parser.AggregateExpr, inner labelSet, report *query) labelSet {
	switch e.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		q.known(e.Grouping, inner, report)
		return inner
	case parser.COUNT_VALUES:
		if s, ok := e.Param.(*parser.StringLiteral); ok {
			inner = inner.with(labelSet{s.Val: true})
		}
	}
	q.known(e.Grouping, inner, report)
	if !e.Without {
		return setOf(e.Grouping)
	}
	left := maps.Clone(inner)
	for _, name := range e.Grouping {
		delete(left, name)
	}
	return left
}

func (q *queries) called(e *parser.Call, report *query) labelSet {
	all := labelSet{}
	for _, arg := range e.Args {
		all = all.with(q.out(arg, report))
	}
	text := func(i int) string {
		if i < len(e.Args) {
			if s, ok := e.Args[i].(*parser.StringLiteral); ok {
				return s.Val
			}
		}
		return ""
	}
	switch e.Func.Name {
	case "label_replace", "label_join":
		all = all.with(labelSet{text(1): true})
	case "histogram_quantile", "histogram_fraction":
		delete(all, "le")
	}
	return all
}

func (q *queries) binary(e *parser.BinaryExpr, report *query) labelSet {
	left, right := q.out(e.LHS, report), q.out(e.RHS, report)
	both := left.with(right)
	if e.VectorMatching != nil {
		q.known(e.VectorMatching.MatchingLabels, both, report)
		q.known(e.VectorMatching.Include, both, report)
	}
	switch {
	case e.Op == parser.LAND, e.Op == parser.LUNLESS:
		return left
	case e.VectorMatching != nil && e.VectorMatching.Card == parser.CardOneToMany:
		return right.with(setOf(e.VectorMatching.Include))
	}
	return both
}

// known reports those names that no series of the expression has as a label.
func (q *queries) known(names []string, have labelSet, report *query) {
	for _, name := range names {
		if report != nil && !have[name] && name != variable && !have[anyLabel] {
			q.unknownLabel(*report, name, have)
		}
	}
}

func (q *queries) unknownLabel(each query, name string, have labelSet) {
	q.problems.Add(each.at, spec.DidYouMean(name, "labels there are", slices.Collect(maps.Keys(have))),
		"%s groups by the label %s, which nothing in it has", each.of, name)
}

// selector gives the labels of a series.
func (q *queries) selector(e *parser.VectorSelector, report *query) labelSet {
	name, service := e.Name, ""
	for _, m := range e.LabelMatchers {
		switch {
		case m.Name == "__name__" && m.Type.String() == "=":
			name = m.Value
		case m.Name == "service" && m.Type.String() == "=":
			service = m.Value
		}
	}
	if name == "" {
		return labelSet{anyLabel: true}
	}
	have := q.labelsOf(name, service)
	if have == nil {
		if report != nil {
			q.unknownMetric(*report, name, service)
		}
		return labelSet{anyLabel: true} // one finding is enough
	}
	for _, m := range e.LabelMatchers {
		if report != nil && m.Name != "__name__" && !have[m.Name] && !have[anyLabel] {
			q.problems.Add(report.at, spec.DidYouMean(m.Name, "its labels", slices.Collect(maps.Keys(have))),
				"%s selects %s by the label %s, which it does not have", report.of, name, m.Name)
		}
	}
	return have
}

func (q *queries) unknownMetric(each query, name, service string) {
	names, where := q.platform, "neither the chassis nor a service keeps it"
	if own := q.services[service]; own != nil {
		names, where = own, service+" does not have it"
	}
	candidates := slices.Concat(slices.Collect(maps.Keys(names)), slices.Collect(maps.Keys(q.records)), slices.Collect(maps.Keys(wellKnown())))
	q.problems.Add(each.at, cmp.Or(spec.DidYouMean(name, "metrics there are", candidates), "ask for another"),
		"%s asks for the metric %s: %s", each.of, name, where)
}

// labelsOf gives the labels of the series of a name, nil when there is none.
func (q *queries) labelsOf(name, service string) labelSet {
	if own := q.services[service]; own != nil {
		if has := own[name]; has != nil {
			return has
		}
	} else if has := q.platform[name]; has != nil {
		return has
	}
	if rules := q.records[name]; rules != nil {
		return q.recorded(name, rules)
	}
	return wellKnown()[name]
}

// recorded gives the labels of what the rules of a name record.
func (q *queries) recorded(name string, rules []query) labelSet {
	if has := q.memo[name]; has != nil {
		return has
	}
	if q.resolving[name] {
		return labelSet{} // it is made of itself
	}
	q.resolving[name] = true
	all := labelSet{}
	for _, r := range rules {
		all = all.with(q.out(r.expr, nil)).with(setOf(r.labels))
	}
	delete(q.resolving, name)
	q.memo[name] = all
	return all
}

// isRules and isDashboard tell the files that have queries.
func isRules(file string) bool {
	name := path.Base(file)
	return strings.HasPrefix(name, "rules") && path.Ext(name) == ".yaml" && !strings.HasSuffix(name, "_test.yaml") && strings.Contains(file, "observability")
}

func isDashboard(file string) bool {
	return path.Ext(file) == ".json" && (path.Base(file) == "dashboard.json" || path.Base(path.Dir(file)) == "dashboards")
}

// IsWatching tells whether a file, by its path, has queries: rules or a dashboard.
func IsWatching(file string) bool { return isRules(file) || isDashboard(file) }

func queriesIn(f plan.File) ([]query, spec.Problems) {
	switch {
	case isRules(f.Path):
		return queriesOfRules(f)
	case isDashboard(f.Path):
		return queriesOfDashboard(f)
	}
	return nil, nil
}

func unreadable(f plan.File, err error) spec.Problems {
	var problems spec.Problems
	problems.Add(spec.Position{File: f.Path}, "correct the template, or what was edited", "%v", fmt.Errorf("it cannot be read: %w", err))
	return problems
}

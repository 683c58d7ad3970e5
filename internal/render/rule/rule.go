// Package rule makes the Prometheus rules that watch a service: recording rules of its rate, errors and duration, the share of requests
// that miss each of its service level objectives, and the alerts, with a unit test each in which it fires and one in which it
// does not.
//
//	text := rule.Of(service, rule.Options{}).YAML()
//
// The objectives are watched as the Google SRE workbook says (Alerting on SLOs, 6: multiwindow, multi-burn-rate alerts): an alert
// fires while the error budget is spent so many times faster than it may be, over a long window and still over a short one.
//
// Names of metrics come from package chassis/telemetry/metric alone.
package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// DefaultRunbooks is where the runbooks are unless platform.yaml says otherwise.
const DefaultRunbooks = "https://github.com/trellis-mesh/trellis/blob/main/docs/runbooks"

// Scale makes time pass faster: 60 turns the hours of all windows and waits into minutes. 0 is 1. The names of what is recorded stay as they are, so that
// a test of the rules watches what will run.
type Scale float64

// duration writes a time as PromQL does.
func (s Scale) duration(d time.Duration) string {
	if s > 0 {
		d = time.Duration(float64(d) / float64(s)).Round(time.Millisecond)
	}
	return promDuration(d)
}

// promDuration writes the largest unit that gives a whole number.
func promDuration(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= unit.size && d%unit.size == 0 {
			return strconv.FormatInt(int64(d/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

// Options say what the rules do not have from the service.
type Options struct {
	Scale    Scale
	Runbooks string // the URL of the folder of the runbooks; default DefaultRunbooks
	// Grafana is the URL that dashboards are at; their links have paths alone when it is empty.
	Grafana string
}

// File is a file of rules.
type File struct {
	Groups []Group

	service *spec.Service
	opt     Options
	tests   []test
}

// Group is evaluated in order, at one time.
type Group struct {
	Name     string
	Interval string // default: Prometheus's own
	Rules    []Rule
}

// Rule records what Expr gives under the name Record, or raises the alert Alert while it gives anything.
type Rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      []Pair
}

// Pair is a name with its value.
type Pair struct{ Name, Value string }

// Of makes the rules of a service.
func Of(s *spec.Service, opt Options) *File {
	if opt.Runbooks == "" {
		opt.Runbooks = DefaultRunbooks
	}
	f := &File{service: s, opt: opt}
	f.red()
	f.indicators()
	f.budgets()
	f.burns()
	f.alerts()
	return f
}

// Failed are the statuses that count as errors: what the service could not do, and 0, where the client got no answer at all.
const Failed = `5..|0`

// The names of what is recorded for every service.
const (
	OperationRequests = "service_operation:http_requests:rate5m"
	OperationErrors   = "service_operation:http_requests_errors:rate5m"
	OperationP50      = "service_operation:http_request_duration_seconds:p50_rate5m"
	OperationP99      = "service_operation:http_request_duration_seconds:p99_rate5m"
	CallerRequests    = "service_caller:http_requests:rate5m"
	CallerErrors      = "service_caller:http_requests_errors:rate5m"
	ServiceRequests   = "service:http_requests:rate5m"
	ServiceErrors     = "service:http_requests_errors:rate5m"
	ServiceSlow       = "service:http_requests_slow:rate5m"
	Objective         = "service_slo:objective:ratio"
	BudgetLeft        = "service_slo:error_budget_left:ratio"
)

// ErrorRatio and SlowRatio name the shares of requests that fail, or take longer than the objective, over one of Windows.
func ErrorRatio(window string) string { return "service:http_requests_errors:ratio_rate" + window }

// SlowRatio is like ErrorRatio.
func SlowRatio(window string) string { return "service:http_requests_slow:ratio_rate" + window }

// Windows are those that the ratios are recorded over.
var Windows = []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"}

var windows = map[string]time.Duration{
	"5m": 5 * time.Minute, "30m": 30 * time.Minute, "1h": time.Hour, "2h": 2 * time.Hour, "6h": 6 * time.Hour,
	"1d": 24 * time.Hour, "3d": 72 * time.Hour,
}

// select writes a selector of the service's series.
func (f *File) series(name, matchers string) string {
	if matchers != "" {
		matchers = "," + matchers
	}
	return fmt.Sprintf(`%s{service=%q%s}`, name, f.service.Name, matchers)
}

// rate writes the rate over a window, named as at scale 1.
func (f *File) rate(name, matchers, window string) string {
	return fmt.Sprintf("rate(%s[%s])", f.series(name, matchers), f.opt.Scale.duration(windows[window]))
}

func (f *File) add(name, interval string, rules ...Rule) {
	f.Groups = append(f.Groups, Group{Name: f.service.Name + "-" + name, Interval: interval, Rules: rules})
}

// red are the rate, errors and duration by operation and by caller.
func (f *File) red() {
	requests, duration := metric.HTTPRequests.Name, metric.HTTPRequestDuration.Name+"_bucket"
	var rules []Rule
	// Where nothing failed there is no series of failures: the rate of all, times 0, stands for it, so that a dashboard shows 0.
	both := func(by, record, recordErrors string) {
		rules = append(rules,
			Rule{Record: record, Expr: fmt.Sprintf("sum by (%s) (%s)", by, f.rate(requests, "", "5m"))},
			Rule{Record: recordErrors, Expr: fmt.Sprintf("sum by (%s) (%s)\nor\n%s * 0", by,
				f.rate(requests, fmt.Sprintf("status=~%q", Failed), "5m"), f.series(record, ""))})
	}
	both("service, operation", OperationRequests, OperationErrors)
	both("service, caller", CallerRequests, CallerErrors)
	both("service", ServiceRequests, ServiceErrors)
	for _, q := range []struct{ record, quantile string }{{OperationP50, "0.5"}, {OperationP99, "0.99"}} {
		rules = append(rules, Rule{Record: q.record, Expr: fmt.Sprintf("histogram_quantile(%s, sum by (service, operation, le) (%s))",
			q.quantile, f.rate(duration, "", "5m"))})
	}
	count := metric.HTTPRequestDuration.Name + "_count"
	rules = append(rules, Rule{Record: ServiceSlow, Expr: fmt.Sprintf("sum by (service) (%s)\n-\nsum by (service) (%s)",
		f.rate(count, "", "5m"), f.rate(duration, f.within(), "5m"))})
	f.add("red", "", rules...)
}

// within selects the bucket of answers within the objective; the chassis has a bound there.
func (f *File) within() string { return fmt.Sprintf("le=%q", f.bound()) }

func (f *File) bound() string {
	text := strconv.FormatFloat(f.service.SLO.Latency.Under.Seconds(), 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0" // as OpenMetrics writes floats
	}
	return text
}

// indicators are the shares of requests that miss an objective. While there are no requests there is no share.
func (f *File) indicators() {
	requests, duration := metric.HTTPRequests.Name, metric.HTTPRequestDuration.Name
	var rules []Rule
	for _, w := range Windows {
		all := fmt.Sprintf("(sum by (service) (%s) > 0)", f.rate(requests, "", w))
		rules = append(rules, Rule{Record: ErrorRatio(w), Expr: fmt.Sprintf("(\n  sum by (service) (%s)\n  or\n  sum by (service) (%s) * 0\n)\n/\n%s",
			f.rate(requests, fmt.Sprintf("status=~%q", Failed), w), f.rate(requests, "", w), all)})
	}
	for _, w := range Windows {
		rules = append(rules, Rule{Record: SlowRatio(w), Expr: fmt.Sprintf("1 - sum by (service) (%s)\n/\n(sum by (service) (%s) > 0)",
			f.rate(duration+"_bucket", f.within(), w), f.rate(duration+"_count", "", w))})
	}
	f.add("indicators", "", rules...)
}

// objective is one of the service's two.
type objective struct {
	name   string // label slo
	kind   string // the first word of its alerts
	good   float64
	ratio  func(window string) string
	missed string // the rate that is recorded
	told   string
}

func (f *File) objectives() []objective {
	slo := f.service.SLO
	return []objective{
		{"availability", "Availability", slo.Availability / 100, ErrorRatio, ServiceErrors,
			fmt.Sprintf("%s %% of requests are to be answered without a failure", number(slo.Availability))},
		{"latency", "Latency", slo.Latency.Percentile / 100, SlowRatio, ServiceSlow,
			fmt.Sprintf("%s %% of requests are to be answered within %s", number(slo.Latency.Percentile), slo.Latency.Under)},
	}
}

// budget is the share of requests that may miss the objective.
func (o objective) budget() float64 { return 1 - o.good }

// budgets are the objectives themselves, and what is left of each error budget over the objective's window.
func (f *File) budgets() {
	window := f.opt.Scale.duration(f.service.SLO.Window)
	var rules []Rule
	for _, o := range f.objectives() {
		rules = append(rules, Rule{Record: Objective, Expr: fmt.Sprintf("vector(%s)", number(o.good)), Labels: []Pair{{"service", f.service.Name}, {"slo", o.name}}})
	}
	for _, o := range f.objectives() {
		rules = append(rules, Rule{
			Record: BudgetLeft,
			Expr: fmt.Sprintf("1 - sum_over_time(%s[%s])\n/\n(sum_over_time(%s[%s]) > 0)\n/\n%s",
				f.series(o.missed, ""), window, f.series(ServiceRequests, ""), window, number(o.budget())),
			Labels: []Pair{{"slo", o.name}},
		})
	}
	f.add("budgets", f.opt.Scale.duration(time.Minute), rules...)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

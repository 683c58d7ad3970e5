package rule

import (
	"fmt"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// test is a unit test for `promtool test rules`.
type test struct {
	name, interval string
	series         []Pair // with their values
	at             string
	rule           Rule
	fires          bool
	labels         []Pair // of the alert, beside those of its rule
}

// burnTests are of steady traffic of which a share misses the objective: a tenth more than the alert stands for it fires, a tenth less,
// and it does not; nor when what was wrong is over, as the short window tells.
func (f *File) burnTests(o objective, alert Rule, burns []burn) []test {
	last := burns[len(burns)-1] // the one with the least share
	// The share over a window is the same however little of it there is yet, so that hours do for days. What is over has been so for
	// longer than the longer of the short windows.
	interval, minutes, steps, over := "1m", 1, 2*60, 60
	if last.long == "3d" {
		interval, minutes, steps, over = "5m", 5, 12*12, 5*12
	}
	traffic := func(name string, share func(step int) float64, fires bool) test {
		return test{
			name: alert.Alert + " " + name, interval: interval, at: fmt.Sprintf("%dm", minutes*steps), rule: alert, fires: fires,
			series: f.traffic(o, steps, share),
		}
	}
	steady := func(share float64) func(int) float64 { return func(int) float64 { return share } }
	threshold := last.threshold(o)
	return []test{
		traffic("fires", steady(min(threshold*1.1, 1)), true),
		traffic("does not fire within the objective", steady(threshold*0.9), false),
		traffic("does not fire when it is over", func(step int) float64 {
			if step > over {
				return 0
			}
			return min(threshold*4, 1)
		}, false),
	}
}

// perStep is how many requests there are between two scrapes. With it every share is a whole number of requests.
const perStep = 1e9

// traffic are the series of requests of which a share, that may differ from step to step, misses the objective.
func (f *File) traffic(o objective, steps int, share func(step int) float64) []Pair {
	failed := func(missed bool) string { return counter(steps, share, missed) }
	all := counter(steps, func(int) float64 { return 1 }, true)
	requests := metric.HTTPRequests.Name + `{operation="get",method="GET",caller="other",status=%q}`
	duration := metric.HTTPRequestDuration.Name + `_%s{operation="get",method="GET"%s}`
	if o.name == "availability" {
		return []Pair{{fmt.Sprintf(requests, "200"), failed(false)}, {fmt.Sprintf(requests, "503"), failed(true)}}
	}
	return []Pair{
		{fmt.Sprintf(requests, "200"), all},
		{fmt.Sprintf(duration, "bucket", ","+f.within()), failed(false)},
		{fmt.Sprintf(duration, "count", ""), all},
	}
}

// counter writes the values of a counter as runs of equal steps.
func counter(steps int, share func(int) float64, missed bool) string {
	each := func(step int) int64 {
		n := int64(share(step) * perStep)
		if !missed {
			n = perStep - n
		}
		return n
	}
	var parts []string
	total := int64(0)
	for step := 0; step <= steps; {
		run := step
		for run < steps && each(run+1) == each(step) {
			run++
		}
		parts = append(parts, fmt.Sprintf("%d+%dx%d", total, each(step), run-step))
		total += each(step) * int64(run-step+1)
		step = run + 1
	}
	return strings.Join(parts, " ")
}

// conditionTests are the two of a condition.
func (f *File) conditionTests(c condition, alert Rule) []test {
	one := func(name string, series []Pair, fires bool) test {
		return test{name: c.alert + " " + name, interval: "1m", at: "20m", rule: alert, series: series, fires: fires, labels: c.labels}
	}
	bad, good := one("fires", c.bad, true), one("does not fire", c.good, false)
	if c.alert == "DeadLetters" {
		good.at = "150m"
	}
	return []test{bad, good}
}

// Tests writes the unit tests of the alerts, for `promtool test rules`, of rules at scale 1 in the file of that name.
func (f *File) Tests(rules string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%s]\n\nevaluation_interval: 5m\n\ntests:\n", rules)
	for _, t := range f.tests {
		fmt.Fprintf(&b, "  - name: %s\n    interval: %s\n    input_series:\n", single(t.name), t.interval)
		for _, s := range t.series {
			fmt.Fprintf(&b, "      - {series: %s, values: %s}\n", single(f.withService(s.Name)), single(s.Value))
		}
		fmt.Fprintf(&b, "    alert_rule_test:\n      - alertname: %s\n        eval_time: %s\n", t.rule.Alert, t.at)
		if !t.fires {
			b.WriteString("        exp_alerts: []\n")
			continue
		}
		b.WriteString("        exp_alerts:\n          - exp_labels:\n")
		for _, p := range append(t.labels[:len(t.labels):len(t.labels)], t.rule.Labels...) {
			fmt.Fprintf(&b, "              %s: %s\n", p.Name, single(p.Value))
		}
		b.WriteString("            exp_annotations:\n")
		for _, p := range t.rule.Annotations {
			fmt.Fprintf(&b, "              %s: %s\n", p.Name, single(expand(p.Value, t.labels)))
		}
	}
	return b.String()
}

// withService gives a series the label that Prometheus sets on all of a service's.
func (f *File) withService(series string) string {
	service := fmt.Sprintf("service=%q", f.service.Name)
	if name, labels, ok := strings.Cut(series, "{"); ok {
		return name + "{" + service + "," + labels
	}
	return series + "{" + service + "}"
}

// expand replaces the labels in an annotation as Prometheus does.
func expand(text string, labels []Pair) string {
	for _, l := range labels {
		text = strings.ReplaceAll(text, "{{ $labels."+l.Name+" }}", l.Value)
	}
	return text
}

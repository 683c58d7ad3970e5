package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// The severities of alerts.
const (
	Page   = "page"   // somebody is woken
	Ticket = "ticket" // somebody looks at it in working hours
)

// burn is how many times faster than allowed the error budget is spent, and over which windows.
type burn struct {
	factor      float64
	long, short string
}

// The burn rates of the workbook: at 14.4 an hour takes 2 % of 30 days' budget, at 6 six hours take 5 %, at 3 a day, and at 1 three days, take
// 10 %.
var (
	fast = []burn{{14.4, "1h", "5m"}, {6, "6h", "30m"}}
	slow = []burn{{3, "1d", "2h"}, {1, "3d", "6h"}}
)

// mostRatio bounds what an alert waits for, so that one of a low objective can still fire.
const mostRatio = 0.9

func (b burn) threshold(o objective) float64 { return min(b.factor*o.budget(), mostRatio) }

// burns are the alerts on the objectives.
func (f *File) burns() {
	var rules []Rule
	for _, o := range f.objectives() {
		rules = append(rules,
			f.burn(o, "FastBurn", Page, 2*time.Minute, fast, "The error budget of %s is being spent fast: at this rate it is gone within days."),
			f.burn(o, "SlowBurn", Ticket, 15*time.Minute, slow, "The error budget of %s is being spent faster than it comes back."))
	}
	f.add("objectives", "", rules...)
}

func (f *File) burn(o objective, speed, severity string, wait time.Duration, burns []burn, summary string) Rule {
	var parts []string
	for _, b := range burns {
		limit := number(b.threshold(o))
		parts = append(parts, fmt.Sprintf("(\n  %s > %s\n  and\n  %s > %s\n)",
			f.series(o.ratio(b.long), ""), limit, f.series(o.ratio(b.short), ""), limit))
	}
	alert := f.alert(o.kind+speed, severity, wait, strings.Join(parts, "\nor\n"), fmt.Sprintf(summary, f.service.Name),
		strings.ToUpper(o.told[:1])+o.told[1:]+", over "+promDuration(f.service.SLO.Window)+".", Pair{"slo", o.name})
	f.tests = append(f.tests, f.burnTests(o, alert, burns)...)
	return alert
}

// alert makes an alert with what all of them have.
func (f *File) alert(name, severity string, wait time.Duration, expr, summary, description string, labels ...Pair) Rule {
	s := f.service
	return Rule{
		Alert: name, Expr: expr, For: f.opt.Scale.duration(wait),
		Labels: append([]Pair{{"service", s.Name}, {"severity", severity}, {"owner", s.Owner}}, labels...),
		Annotations: []Pair{
			{"summary", summary}, {"description", description},
			{"runbook_url", strings.TrimSuffix(f.opt.Runbooks, "/") + "/" + Runbook(name)},
			{"dashboard_url", strings.TrimSuffix(f.opt.Grafana, "/") + "/d/trellis-service-" + s.Name},
		},
	}
}

// Runbook is the file of an alert's runbook: availability-fast-burn.md.
func Runbook(alert string) string {
	var b strings.Builder
	for i, r := range alert {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('-')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String() + ".md"
}

// condition is an alert on something that is not as it has to be, whatever the requests see of it.
type condition struct {
	feature              metric.Feature
	alert, severity      string
	wait                 time.Duration
	expr                 func(f *File) string
	summary, description string // %s is the service
	// bad and good are what Prometheus scrapes, a minute apart, in the tests of the alert: series without the label service. The
	// alert has these labels, beside its own, when it fires.
	bad, good []Pair
	labels    []Pair
}

// alerts are those conditions of which the service has the feature.
func (f *File) alerts() {
	var rules []Rule
	for _, c := range conditions {
		if !f.service.Has(c.feature) {
			continue
		}
		rule := f.alert(c.alert, c.severity, c.wait, c.expr(f), fmt.Sprintf(c.summary, f.service.Name), c.description)
		rules = append(rules, rule)
		f.tests = append(f.tests, f.conditionTests(c, rule)...)
	}
	f.add("conditions", "", rules...)
}

// worst writes the greatest value of a gauge that every process of the service tells the same of.
func worst(by string, d metric.Definition, matchers, compared string) func(*File) string {
	return func(f *File) string {
		return fmt.Sprintf("max by (%s) (%s) %s", by, f.series(d.Name, matchers), compared)
	}
}

// up is the metric that Prometheus itself keeps of each target.
const up = "up"

const services = `job="services"`

var conditions = []condition{
	{
		feature: metric.Always, alert: "ServiceDown", severity: Page, wait: 5 * time.Minute,
		expr: func(f *File) string {
			return fmt.Sprintf("absent(%s == 1)", f.series(up, services))
		},
		summary:     "No instance of %s answers Prometheus.",
		description: "Every instance is gone, or none lets itself be scraped.",
		bad:         []Pair{{`up{job="services",instance="a"}`, "0x20"}},
		good:        []Pair{{`up{job="services",instance="a"}`, "0x20"}, {`up{job="services",instance="b"}`, "1x20"}},
	},
	{
		feature: metric.Always, alert: "InstanceDown", severity: Ticket, wait: 10 * time.Minute,
		expr:        func(f *File) string { return f.series(up, services) + " == 0" },
		summary:     "An instance of %s does not answer Prometheus.",
		description: "{{ $labels.instance }} runs, but cannot be scraped.",
		bad:         []Pair{{`up{job="services",instance="a"}`, "0x20"}, {`up{job="services",instance="b"}`, "1x20"}},
		good:        []Pair{{`up{job="services",instance="a"}`, "1x5 0x3 1x20"}},
		labels:      []Pair{{"instance", "a"}, {"job", "services"}},
	},
	{
		feature: metric.Calls, alert: "BreakerOpen", severity: Ticket, wait: 5 * time.Minute,
		expr: func(f *File) string {
			return fmt.Sprintf("max by (service, callee) (min_over_time(%s[%s])) > 0",
				f.series(metric.ClientBreakerState.Name, ""), f.opt.Scale.duration(5*time.Minute))
		},
		summary:     "A circuit breaker of %s has not closed for ten minutes.",
		description: "Calls to {{ $labels.callee }} are refused without being tried.",
		bad:         []Pair{{metric.ClientBreakerState.Name + `{callee="other"}`, "2x20"}},
		good:        []Pair{{metric.ClientBreakerState.Name + `{callee="other"}`, "2 2 2 1 0 2 2 2 1 0 2 2 2 1 0 2 2 2 1 0 0"}},
		labels:      []Pair{{"callee", "other"}},
	},
	{
		feature: metric.Consumes, alert: "ConsumerStalled", severity: Page, wait: 5 * time.Minute,
		expr: func(f *File) string {
			return fmt.Sprintf("sum by (service) (%s) > 0\nunless\nsum by (service) (%s) > 0",
				f.series(metric.EventConsumerLag.Name, ""), f.rate(metric.EventsConsumed.Name, "", "5m"))
		},
		summary:     "%s handles no events although some wait.",
		description: "Nothing was taken from Kafka for ten minutes, and the lag is not 0.",
		bad: []Pair{
			{metric.EventConsumerLag.Name + `{topic="a.b.v1",partition="0"}`, "3x20"},
			{metric.EventsConsumed.Name + `{type="a.b.v1",outcome="ok"}`, "7x20"},
		},
		good: []Pair{
			{metric.EventConsumerLag.Name + `{topic="a.b.v1",partition="0"}`, "3x20"},
			{metric.EventsConsumed.Name + `{type="a.b.v1",outcome="ok"}`, "7+1x20"},
		},
	},
	{
		feature: metric.Consumes, alert: "ConsumerLag", severity: Ticket, wait: 10 * time.Minute,
		expr: func(f *File) string {
			return fmt.Sprintf("sum by (service, topic) (%s) > 1000", f.series(metric.EventConsumerLag.Name, ""))
		},
		summary:     "%s is behind with its events.",
		description: "More than 1000 events of {{ $labels.topic }} have been waiting for ten minutes.",
		bad: []Pair{
			{metric.EventConsumerLag.Name + `{topic="a.b.v1",partition="0"}`, "600x20"},
			{metric.EventConsumerLag.Name + `{topic="a.b.v1",partition="1"}`, "600x20"},
		},
		good: []Pair{
			{metric.EventConsumerLag.Name + `{topic="a.b.v1",partition="0"}`, "600x20"},
			{metric.EventConsumerLag.Name + `{topic="b.c.v1",partition="0"}`, "600x20"},
		},
		labels: []Pair{{"topic", "a.b.v1"}},
	},
	{
		// A series that begins with its first event has not increased as far as Prometheus can see, hence the second part.
		feature: metric.Consumes, alert: "DeadLetters", severity: Ticket, wait: 0,
		expr: func(f *File) string {
			dead := f.series(metric.EventsConsumed.Name, `outcome="dead"`)
			hour := f.opt.Scale.duration(time.Hour)
			return fmt.Sprintf("sum by (service, type) (increase(%s[%s])) > 0\nor\nsum by (service, type) (%s unless %s offset %s) > 0",
				dead, hour, dead, dead, hour)
		},
		summary:     "%s has given up on events.",
		description: "Events of {{ $labels.type }} were put among the dead letters within the last hour.",
		bad:         []Pair{{metric.EventsConsumed.Name + `{type="a.b.v1",outcome="dead"}`, "_x5 1x20"}},
		good: []Pair{
			{metric.EventsConsumed.Name + `{type="a.b.v1",outcome="dead"}`, "3x200"},
			{metric.EventsConsumed.Name + `{type="a.b.v1",outcome="ok"}`, "0+1x200"},
		},
		labels: []Pair{{"type", "a.b.v1"}},
	},
	{
		feature: metric.Outbox, alert: "OutboxDelayed", severity: Page, wait: 2 * time.Minute,
		expr:        worst("service", metric.OutboxOldestAge, "", "> 60"),
		summary:     "Events of %s are not published.",
		description: "The oldest event in the outbox has been waiting for more than a minute.",
		bad:         []Pair{{metric.OutboxOldestAge.Name, "90+60x20"}},
		good:        []Pair{{metric.OutboxOldestAge.Name, "0x4 90 0x20"}},
	},
	{
		feature: metric.Outbox, alert: "OutboxBlocked", severity: Page, wait: 0,
		expr:        worst("service", metric.OutboxDead, "", "> 0"),
		summary:     "Events of %s were refused too often to be tried again.",
		description: "Each of them holds up all later events of its key.",
		bad:         []Pair{{metric.OutboxDead.Name + `{instance="a"}`, "0x20"}, {metric.OutboxDead.Name + `{instance="b"}`, "1x20"}},
		good:        []Pair{{metric.OutboxDead.Name + `{instance="a"}`, "0x20"}},
	},
	{
		feature: metric.Saga, alert: "SagaParked", severity: Ticket, wait: time.Minute,
		expr:        worst("service, saga", metric.SagaInstances, `state="parked"`, "> 0"),
		summary:     "A saga of %s waits for a person.",
		description: "{{ $labels.saga }} could be neither completed nor undone.",
		bad:         []Pair{{metric.SagaInstances.Name + `{saga="fulfil",state="parked"}`, "2x20"}},
		good: []Pair{
			{metric.SagaInstances.Name + `{saga="fulfil",state="parked"}`, "0x20"},
			{metric.SagaInstances.Name + `{saga="fulfil",state="running"}`, "9x20"},
		},
		labels: []Pair{{"saga", "fulfil"}},
	},
	{
		feature: metric.TwoPhase, alert: "TransactionInDoubt", severity: Page, wait: 5 * time.Minute,
		expr: func(f *File) string {
			return worst("service, participant", metric.TwoPhaseInDoubt, "", "> 0")(f) + "\nor\n" +
				worst("service, coordinator", metric.TwoPhaseUntoldAge, "", "> 300")(f)
		},
		summary:     "A distributed transaction of %s has no end.",
		description: "It was prepared, or decided, long ago and is neither committed nor aborted everywhere. What it locks stays locked.",
		bad:         []Pair{{metric.TwoPhaseInDoubt.Name + `{participant="stock"}`, "1x20"}},
		good:        []Pair{{metric.TwoPhaseInDoubt.Name + `{participant="stock"}`, "1x3 0x20"}, {metric.TwoPhaseUntoldAge.Name + `{coordinator="c"}`, "20x20"}},
		labels:      []Pair{{"participant", "stock"}},
	},
	{
		feature: metric.EventStore, alert: "ProjectionFailing", severity: Ticket, wait: 5 * time.Minute,
		expr:        worst("service, projection", metric.ProjectionFailing, "", "> 0"),
		summary:     "A projection of %s stands still.",
		description: "{{ $labels.projection }} cannot handle an event, and handles none after it.",
		bad:         []Pair{{metric.ProjectionFailing.Name + `{projection="balances",state="live"}`, "1x20"}},
		good:        []Pair{{metric.ProjectionFailing.Name + `{projection="balances",state="live"}`, "1x3 0x20"}},
		labels:      []Pair{{"projection", "balances"}},
	},
	{
		feature: metric.Flags, alert: "FlagFileStale", severity: Ticket, wait: 15 * time.Minute,
		expr:        worst("service", metric.FlagFileStale, "", "> 0"),
		summary:     "The file of feature flags of %s cannot be used.",
		description: "What was read before is in force; changes have no effect.",
		bad:         []Pair{{metric.FlagFileStale.Name, "1x20"}},
		good:        []Pair{{metric.FlagFileStale.Name, "1x3 0x20"}},
	},
}

// Alerts are the names of all alerts, sorted.
func Alerts() []string {
	var names []string
	for _, o := range []string{"Availability", "Latency"} {
		names = append(names, o+"FastBurn", o+"SlowBurn")
	}
	for _, c := range conditions {
		names = append(names, c.alert)
	}
	slices.Sort(names)
	return names
}

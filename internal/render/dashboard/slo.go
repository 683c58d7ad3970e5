package dashboard

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// burnWindows are the times that burn rates are shown over; alerts fire at these rates over them.
var burnWindows = []struct {
	window string
	alert  float64
}{{"1h", 14.4}, {"6h", 6}, {"1d", 3}, {"3d", 1}}

// objectives shows how much of what the objectives allow is used up, and how fast. A burn rate of 1 uses the budget up exactly when
// the window of the objective ends.
func (b *serviceBoard) objectives() {
	slo := b.service.SLO
	window := written(slo.Window)
	budget, slow := allowed(slo.Availability), allowed(slo.Latency.Percentile)
	under := slo.Latency.Under.String()
	b.row("Objectives")
	b.stats(
		stat("Availability over "+window, "Share of the requests answered without a 5xx. The objective is "+percent(slo.Availability)+".", share,
			[]query{{"1 - " + b.failures(window), "availability"}}, atLeast(slo.Availability/100), absent("no traffic"), precise),
		stat("Error budget left", "Share of the 5xx that the objective allows over "+window+" that is not used up.", share,
			[]query{{left(b.failures(window), budget), "left"}}, within(Step{Color: "red"}, Step{"orange", number(0)}, Step{"green", number(0.25)}), absent("no traffic")),
		stat("Answered within "+under, "Share of the requests answered within "+under+" over "+window+". The objective is "+percent(slo.Latency.Percentile)+".", share,
			[]query{{"1 - " + b.slow(window), "in time"}}, atLeast(slo.Latency.Percentile/100), absent("no traffic"), precise),
		stat("Latency budget left", "Share of the slow answers that the objective allows over "+window+" that is not used up.", share,
			[]query{{left(b.slow(window), slow), "left"}}, within(Step{Color: "red"}, Step{"orange", number(0)}, Step{"green", number(0.25)}), absent("no traffic")),
	)
	var errors, lateness []query
	for _, w := range burnWindows {
		errors = append(errors, query{burn(b.failures(w.window), budget), "over " + w.window})
		lateness = append(lateness, query{burn(b.slow(w.window), slow), "over " + w.window})
	}
	lines := within(Step{Color: "green"}, Step{"yellow", number(1)}, Step{"orange", number(6)}, Step{"red", number(14.4)})
	why := " 1 uses the budget up exactly by the end of " + window + ". Somebody is called at 14.4 over an hour or 6 over six; 3 over a day or 1 over three makes a ticket."
	b.graphs(
		graph("Error budget left over time", "What is left of the 5xx that the objective allows over "+window+".", share,
			[]query{{left(b.failures(window), budget), "5xx"}, {left(b.slow(window), slow), "slower than " + under}}, unbounded, upToAll),
		graph("Availability burn rate", "How fast the error budget goes."+why, count, errors, lines, linked(DataLink{Title: "Failed traces", URL: tracesOf(b.service.Name, map[string]string{"tags": "error=true"})})),
		graph("Latency burn rate", "How fast the budget of slow answers goes."+why, count, lateness, lines,
			linked(DataLink{Title: "Slow traces", URL: tracesOf(b.service.Name, map[string]string{"minDuration": under})})),
	)
}

// failures is the share of 5xx over a window.
func (b *serviceBoard) failures(window string) string {
	return ratio(over(httpRequests, match(b.self, like("status", failed)), window), over(httpRequests, b.self, window))
}

// slow is the share of answers over a window that took longer than the objective.
func (b *serviceBoard) slow(window string) string {
	fast, all := over(httpDuration+"_bucket", match(b.self, bound(b.service.SLO)), window), over(httpDuration+"_count", b.self, window)
	return fmt.Sprintf("(1 - %s / (%s > 0))", fast, all)
}

// bound matches the bucket of the latency objective, which the chassis keeps for it. Exporters write whole numbers in two ways.
func bound(slo spec.SLO) string {
	le := strconv.FormatFloat(slo.Latency.Under.Seconds(), 'f', -1, 64)
	if slo.Latency.Under%time.Second == 0 {
		return like("le", le+"|"+le+"[.]0")
	}
	return is("le", le)
}

// over is a counter's rate over a window.
func over(counter, selector, window string) string {
	return fmt.Sprintf("sum(rate(%s{%s}[%s]))", counter, selector, window)
}

// left is what is left of a budget, as a share of it.
func left(used string, budget float64) string { return fmt.Sprintf("1 - %s / %s", used, plain(budget)) }

// burn is how many times faster than allowed a budget is used.
func burn(used string, budget float64) string { return fmt.Sprintf("%s / %s", used, plain(budget)) }

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// precise shows four digits after the point: 99.95 % is not 100 %.
func precise(p *Panel) {
	digits := 4
	p.FieldConfig.Defaults.Decimals = &digits
}

// objectives is the platform's dashboard of all services' objectives.
func objectives() *Dashboard {
	b := newPlatformBoard(SLOUID, "Objectives", "How good all services are at a glance: availability, latency, alerts.")
	b.addVariable("service", "Service", "Services of the platform.", httpRequests, "", "service")
	b.row("At a glance")
	b.stats(
		stat("Pages", "Alerts that call somebody and fire now.", count, []query{{`count(ALERTS{alertstate="firing", severity="page"}) or vector(0)`, "pages"}}, above("red", 1)),
		stat("Tickets", "Alerts that make a ticket and fire now.", count, []query{{`count(ALERTS{alertstate="firing", severity="ticket"}) or vector(0)`, "tickets"}}, above("orange", 1)),
		stat("Availability over 1h", "Share of all requests answered without a 5xx.", share,
			[]query{{"1 - " + ratio(over(httpRequests, match(chosenService, like("status", failed)), "1h"), over(httpRequests, chosenService, "1h")), "availability"}}, absent("no traffic"), precise),
		stat("Availability over 1d", "Share of all requests answered without a 5xx.", share,
			[]query{{"1 - " + ratio(over(httpRequests, match(chosenService, like("status", failed)), "1d"), over(httpRequests, chosenService, "1d")), "availability"}}, absent("no traffic"), precise),
	)
	columnsOf := []column{}
	for _, window := range []string{"5m", "1h", "6h", "1d", "3d"} {
		columnsOf = append(columnsOf, column{title: "5xx over " + window, unit: share, expr: failuresByService(window),
			thresholds: steps(Step{Color: "green"}, Step{"orange", number(0.001)}, Step{"red", number(0.0144)})})
	}
	columnsOf = append(columnsOf, column{title: "p99", unit: seconds, expr: quantile("0.99", httpDuration, chosenService, "service")})
	b.row("All services")
	b.newLine()
	b.place(columns, 14, table("Errors by service and window", "Share of the requests answered with a 5xx. A name leads to the service's dashboard, which tells what its objective allows.",
		[]column{{title: "Service", expr: "service", links: []DataLink{{Title: "Dashboard", URL: dashboardOf(ServiceUID("${__data.fields.Service}"))}}}}, columnsOf))
	b.newLine()
	b.graphs(
		graph("5xx over 5m", "Share of a service's requests answered with a 5xx, over five minutes.", share, []query{{failuresByService("5m"), "{{service}}"}}, linked(toService)),
		graph("5xx over 1h", "Share of a service's requests answered with a 5xx, over an hour.", share, []query{{failuresByService("1h"), "{{service}}"}}, linked(toService)),
		graph("5xx over 1d", "Share of a service's requests answered with a 5xx, over a day.", share, []query{{failuresByService("1d"), "{{service}}"}}, linked(toService)),
	)
	return b.Dashboard
}

func failuresByService(window string) string {
	by := func(selector string) string {
		return strings.Replace(over(httpRequests, selector, window), "sum(", "sum by (service) (", 1)
	}
	return ratio(by(match(chosenService, like("status", failed))), by(chosenService))
}

package dashboard

import (
	"fmt"
	"strconv"

	"github.com/trellis-mesh/trellis/internal/render/rule"
)

// burnWindows are the times that burn rates are shown over; alerts fire at these rates over them.
var burnWindows = []struct {
	window string
	alert  float64
}{{"1h", 14.4}, {"6h", 6}, {"1d", 3}, {"3d", 1}}

// objectives shows how much of what the objectives allow is used up, and how fast, by what the service's rules record. A burn rate of 1 uses
// the budget up exactly when the window of the objective ends.
func (b *serviceBoard) objectives() {
	slo := b.service.SLO
	window := written(slo.Window)
	failed, slow := allowed(slo.Availability), allowed(slo.Latency.Percentile)
	under := slo.Latency.Under.String()
	budget := within(Step{Color: "red"}, Step{"orange", number(0)}, Step{"green", number(0.25)})
	b.row("Objectives")
	b.stats(
		stat("Availability over "+window, "Share of the requests that did not fail. The objective is "+percent(slo.Availability)+".", share,
			[]query{{met(b.left("availability"), failed), "availability"}}, atLeast(slo.Availability/100), absent("no traffic"), precise),
		stat("Error budget left", "Share of the failures that the objective allows over "+window+" that is not used up.", share,
			[]query{{b.left("availability"), "left"}}, budget, absent("no traffic")),
		stat("Answered within "+under, "Share of the requests answered within "+under+" over "+window+". The objective is "+percent(slo.Latency.Percentile)+".", share,
			[]query{{met(b.left("latency"), slow), "in time"}}, atLeast(slo.Latency.Percentile/100), absent("no traffic"), precise),
		stat("Latency budget left", "Share of the slow answers that the objective allows over "+window+" that is not used up.", share,
			[]query{{b.left("latency"), "left"}}, budget, absent("no traffic")),
	)
	var errors, lateness []query
	for _, w := range burnWindows {
		errors = append(errors, query{b.burn(rule.ErrorRatio(w.window), failed), "over " + w.window})
		lateness = append(lateness, query{b.burn(rule.SlowRatio(w.window), slow), "over " + w.window})
	}
	lines := within(Step{Color: "green"}, Step{"yellow", number(1)}, Step{"orange", number(6)}, Step{"red", number(14.4)})
	why := " 1 uses the budget up exactly by the end of " + window + ". Somebody is called at 14.4 over an hour or 6 over six; 3 over a day or 1 over three makes a ticket."
	b.graphs(
		graph("Error budget left over time", "What is left of what the objectives allow over "+window+".", share,
			[]query{{b.left("availability"), "failures"}, {b.left("latency"), "slower than " + under}}, unbounded, upToAll),
		graph("Availability burn rate", "How fast the error budget goes."+why, count, errors, lines, linked(DataLink{Title: "Failed traces", URL: tracesOf(b.service.Name, map[string]string{"tags": "error=true"})})),
		graph("Latency burn rate", "How fast the budget of slow answers goes."+why, count, lateness, lines,
			linked(DataLink{Title: "Slow traces", URL: tracesOf(b.service.Name, map[string]string{"minDuration": under})})),
	)
}

// left is what is left of the budget of an objective, as a share of it.
func (b *serviceBoard) left(slo string) string {
	return fmt.Sprintf("sum(%s{%s})", rule.BudgetLeft, match(b.self, is("slo", slo)))
}

// burn is how many times faster than allowed a budget is used, by the recorded share of what missed the objective.
func (b *serviceBoard) burn(missed string, budget float64) string {
	return fmt.Sprintf("sum(%s{%s}) / %s", missed, b.self, plain(budget))
}

// met is the share that met an objective, by what is left of its budget.
func met(left string, budget float64) string {
	return fmt.Sprintf("1 - (1 - %s) * %s", left, plain(budget))
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// precise shows four digits after the point: 99.95 % is not 100 %.
func precise(p *Panel) {
	digits := 4
	p.FieldConfig.Defaults.Decimals = &digits
}

// objectives is the platform's dashboard of all services' objectives. It shows what the rules of the services record.
func objectives() *Dashboard {
	b := newPlatformBoard(SLOUID, "Objectives", "How good all services are at a glance: availability, latency, alerts.")
	b.addVariable("service", "Service", "Services of the platform.", httpRequests, "", "service")
	b.row("At a glance")
	b.stats(
		stat("Pages", "Alerts that call somebody and fire now.", count, []query{{`count(ALERTS{alertstate="firing", severity="page"}) or vector(0)`, "pages"}}, above("red", 1)),
		stat("Tickets", "Alerts that make a ticket and fire now.", count, []query{{`count(ALERTS{alertstate="firing", severity="ticket"}) or vector(0)`, "tickets"}}, above("orange", 1)),
		stat("Availability over 1h", "Share of all requests answered without a failure.", share, []query{{availability("1h"), "availability"}}, absent("no traffic"), precise),
		stat("Availability over 1d", "Share of all requests answered without a failure.", share, []query{{availability("1d"), "availability"}}, absent("no traffic"), precise),
	)
	b.row("All services")
	b.newLine()
	b.place(columns, 14, allServices("Availability by service",
		"Share of the requests that failed, beside the objective and what is left of its error budget. A name leads to the service's dashboard.", "availability", "Failed", rule.ErrorRatio))
	b.newLine()
	b.place(columns, 14, allServices("Latency by service",
		"Share of the requests that took longer than the service's objective, beside the share that may not. A name leads to the service's dashboard.", "latency", "Slow", rule.SlowRatio))
	b.newLine()
	b.graphs(
		budgets("Error budget left", "What is left of the failures that a service's objective allows over its window. Below zero it is missed.", "availability"),
		budgets("Latency budget left", "What is left of the slow answers that a service's objective allows over its window. Below zero it is missed.", "latency"),
	)
	b.graphs(
		graph("Failed over 5m", "Share of a service's requests that failed, over five minutes.", share, []query{{ofServices(rule.ErrorRatio("5m"), ""), "{{service}}"}}, linked(toService)),
		graph("Failed over 1h", "Share of a service's requests that failed, over an hour.", share, []query{{ofServices(rule.ErrorRatio("1h"), ""), "{{service}}"}}, linked(toService)),
		graph("Slow over 1h", "Share of a service's requests that took longer than its objective, over an hour.", share, []query{{ofServices(rule.SlowRatio("1h"), ""), "{{service}}"}}, linked(toService)),
	)
	return b.Dashboard
}

// allServices has a line for each service: an objective, what is left of its budget, and the share that missed it over windows.
func allServices(title, description, slo, missed string, ratio func(window string) string) Panel {
	values := []column{
		{title: "Objective", unit: share, expr: ofServices(rule.Objective, is("slo", slo))},
		{title: "Budget left", unit: share, expr: ofServices(rule.BudgetLeft, is("slo", slo)), thresholds: steps(Step{Color: "red"}, Step{"orange", number(0)}, Step{"green", number(0.25)})},
	}
	for _, window := range []string{"5m", "1h", "6h", "1d", "3d"} {
		values = append(values, column{title: missed + " over " + window, unit: share, expr: ofServices(ratio(window), "")})
	}
	return table(title, description,
		[]column{{title: "Service", expr: "service", links: []DataLink{{Title: "Dashboard", URL: dashboardOf(ServiceUID("${__data.fields.Service}"))}}}}, values)
}

func budgets(title, description, slo string) Panel {
	return graph(title, description, share, []query{{ofServices(rule.BudgetLeft, is("slo", slo)), "{{service}}"}}, within(Step{Color: "red"}, Step{"green", number(0)}), unbounded, upToAll, linked(toService))
}

// ofServices is what a rule records of each of the chosen services.
func ofServices(record, selector string) string {
	return fmt.Sprintf("max by (service) (%s{%s})", record, match(chosenService, selector))
}

// availability is the share of all requests to the chosen services that did not fail.
func availability(window string) string {
	over := func(record string) string {
		return fmt.Sprintf("sum(sum_over_time(%s{%s}[%s]))", record, chosenService, window)
	}
	return fmt.Sprintf("1 - %s / (%s > 0)", over(rule.ServiceErrors), over(rule.ServiceRequests))
}

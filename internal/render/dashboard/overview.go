package dashboard

import "fmt"

// chosenService matches the services that the viewer chose.
const chosenService = `service=~"$service"`

// toService leads from a series with the label service to that service's dashboard.
var toService = DataLink{Title: "Dashboard of ${__field.labels.service}", URL: dashboardOf(ServiceUID("${__field.labels.service}"))}

// overview is the platform at a glance: who calls whom, how often, how well.
func overview() *Dashboard {
	b := newPlatformBoard(OverviewUID, "Overview", "All services of the platform: who calls whom, how much they serve, how often they fail, how long they take.")
	b.Links = append(b.Links,
		plainLink("Traces", "The newest traces", explore("jaeger", map[string]any{"refId": "A", "queryType": "dependencyGraph"}), "bolt"),
		plainLink("Logs", "Errors of all services", logsOf(`{service_name=~".+"} | detected_level="error"`), "file-alt"))
	b.addVariable("service", "Service", "Services of the platform.", httpRequests, "", "service")
	b.overviewGlance()
	b.serviceMap()
	b.row("Services")
	b.newLine()
	b.place(columns, 12, servicesTable())
	b.newLine()
	failed := DataLink{Title: "Failed traces", URL: tracesOf("${__field.labels.service}", map[string]string{"tags": "error=true"})}
	b.graphs(
		graph("Rate by service", "Requests answered a second.", perSecond, []query{{sum(rate(httpRequests, chosenService), "service"), "{{service}}"}}, linked(toService)),
		graph("Errors by service", "Share of the requests answered with a 5xx.", share, []query{{serviceErrors(), "{{service}}"}}, linked(toService, failed)),
		graph("p99 latency by service", "The dots are single requests: each leads to its trace.", seconds,
			[]query{{quantile("0.99", httpDuration, chosenService, "service"), "{{service}}"}}, exemplars, linked(toService)),
	)
	b.callsBetween()
	b.row("Spans and logs")
	b.graphs(
		graph("Spans by service", "Spans a second that Jaeger took in, by service and kind. It counts them before it chooses which to keep.", events,
			[]query{{sum(rate(spanCalls, `service_name=~"$service"`), "service_name", "span_kind"), "{{service_name}} {{span_kind}}"}},
			linked(DataLink{Title: "Traces of ${__field.labels.service_name}", URL: tracesOf("${__field.labels.service_name}", nil)})),
		graph("Failed spans", "Spans a second with an error, by service.", events,
			[]query{{sum(rate(spanCalls, `service_name=~"$service", status_code="STATUS_CODE_ERROR"`), "service_name"), "{{service_name}}"}},
			linked(DataLink{Title: "Failed traces of ${__field.labels.service_name}", URL: tracesOf("${__field.labels.service_name}", map[string]string{"tags": "error=true"})})),
		graph("Log lines by level", "Log lines a second of all services.", events,
			[]query{{`sum by (detected_level) (rate({service_name=~".+"} [$__auto]))`, "{{detected_level}}"}}, overLoki, stacked),
	)
	b.place(columns, 10, logs("Error lines", "The newest lines at level error of all services.", `{service_name=~".+"} | detected_level="error"`))
	b.newLine()
	return b.Dashboard
}

func serviceErrors() string {
	return ratio(sum(rate(httpRequests, match(chosenService, like("status", failed))), "service"), sum(rate(httpRequests, chosenService), "service"))
}

func (b *board) overviewGlance() {
	b.row("At a glance")
	b.stats(
		stat("Services up", "Services of which Prometheus reaches at least one replica.", count, []query{{`count(max by (service) (up{job="services"}) == 1)`, "up"}}),
		stat("Services down", "Services of which Prometheus reaches no replica.", count,
			[]query{{`count(max by (service) (up{job="services"}) == 0) or vector(0)`, "down"}}, above("red", 1)),
		stat("Requests", "Requests that all services answer a second.", perSecond, []query{{sum(rate(httpRequests, chosenService)), "requests"}}),
		stat("Errors", "Share of all requests answered with a 5xx.", share, []query{{ratio(
			sum(rate(httpRequests, match(chosenService, like("status", failed)))), sum(rate(httpRequests, chosenService))), "errors"}}, above("red", 0.001), absent("no traffic")),
		stat("Alerts", "Alerts that fire now.", count, []query{{`count(ALERTS{alertstate="firing"}) or vector(0)`, "firing"}}, above("orange", 1)),
		stat("Open breakers", "Circuit breakers that let no calls through.", count,
			[]query{{"count(" + clientBreaker + " == 2) or vector(0)", "open"}}, above("red", 1)),
	)
}

// serviceMap draws calls and events. A node's number is what it answers a second, an edge's what goes over it.
func (b *board) serviceMap() {
	b.row("Who calls whom")
	title := `label_replace(%s, "title", "$1", "id", "(.*)")`
	nodes := fmt.Sprintf(title, `sum by (id) (label_replace(`+rate(httpRequests, "")+`, "id", "$1", "service", "(.*)"))`)
	topics := fmt.Sprintf(title, `sum by (id) (label_replace(`+rate(published, "")+`, "id", "$1", "type", "(.*)"))`)
	edge := func(expr, source, target string) string {
		return fmt.Sprintf(`sum by (id, source, target) (label_join(label_replace(label_replace(%s, "source", "$1", "%s", "(.*)"), "target", "$1", "%s", "(.*)"), "id", " > ", "source", "target"))`,
			expr, source, target)
	}
	b.newLine()
	b.place(columns, 18, nodeGraph("Service map", "Services and event types, and what goes between them: calls as their callers count them, events as they are published and handled. "+
		"A node shows what it answers or carries a second, an edge what goes over it.",
		nodes+" or "+topics,
		edge(rate(clientRequests, ""), "service", "callee")+" or "+edge(rate(published, ""), "service", "type")+" or "+edge(rate(consumed, ""), "type", "service")))
	b.newLine()
}

func servicesTable() Panel {
	of := "${__data.fields.Service}"
	return table("Services", "What each service answers now. A name leads to the service's dashboard.",
		[]column{{title: "Service", expr: "service", links: []DataLink{
			{Title: "Dashboard", URL: dashboardOf(ServiceUID(of))}, {Title: "Traces", URL: tracesOf(of, nil)}, {Title: "Logs", URL: logsOf(`{service_name="` + of + `"}`)},
		}}},
		[]column{
			{title: "Requests", expr: sum(rate(httpRequests, chosenService), "service"), unit: perSecond},
			{title: "Errors", expr: serviceErrors(), unit: share, thresholds: steps(Step{Color: "green"}, Step{Color: "red", Value: number(0.001)})},
			{title: "p50", expr: quantile("0.5", httpDuration, chosenService, "service"), unit: seconds},
			{title: "p99", expr: quantile("0.99", httpDuration, chosenService, "service"), unit: seconds},
			{title: "Replicas", expr: `sum by (service) (up{job="services", service=~"$service"})`, unit: count},
			{title: "Memory", expr: `max by (service) (process_resident_memory_bytes{service=~"$service"})`, unit: bytesUnit},
		})
}

func (b *board) callsBetween() {
	b.row("Calls")
	b.newLine()
	of := chosenService
	links := func(name string) []DataLink {
		return []DataLink{{Title: "Dashboard", URL: dashboardOf(ServiceUID("${__data.fields." + name + "}"))}}
	}
	b.place(columns, 12, table("Calls between services", "Each pair of services of which one called the other, as the caller counts.",
		[]column{{title: "Caller", expr: "service", links: links("Caller")}, {title: "Callee", expr: "callee", links: links("Callee")}},
		[]column{
			{title: "Calls", expr: sum(rate(clientRequests, of), "service", "callee"), unit: perSecond},
			{title: "Errors", expr: callErrors(of, "service", "callee"), unit: share, thresholds: steps(Step{Color: "green"}, Step{Color: "red", Value: number(0.001)})},
			{title: "p99", expr: quantile("0.99", clientDuration, of, "service", "callee"), unit: seconds},
		}))
	b.newLine()
}

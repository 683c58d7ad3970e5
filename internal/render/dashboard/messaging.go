package dashboard

// messaging is what goes over Kafka, and what waits, hangs or was given up on the way.
func messaging() *Dashboard {
	b := newPlatformBoard(MessagingUID, "Messaging", "Events, outboxes, dead letters, sagas and transactions of all services.")
	b.addVariable("service", "Service", "Services that publish or consume events.", consumed, "", "service")
	b.row("At a glance")
	b.stats(
		stat("Published", "Events that Kafka took a second.", events, []query{{sum(rate(published, is("outcome", "ok"))), "published"}}),
		stat("Consumer lag", "Events that are published and not yet handled.", count, []query{{"sum(" + consumerLag + ")", "lag"}}, above("orange", 1000)),
		stat("Oldest in an outbox", "Age of the oldest event that is stored and not published.", seconds, []query{{"max(" + outboxOldest + ")", "oldest"}}, above("red", 60)),
		stat("Given up lately", "Events that were given up over the time shown.", count,
			[]query{{"sum(increase(" + consumed + `{outcome="dead"}[$__range])) or vector(0)`, "dead"}}, above("red", 1)),
		stat("Dead in outboxes", "Stored events that Kafka refused too often. Each holds up its key.", count, []query{{"sum(max by (service) (" + outboxDead + "))", "dead"}}, above("red", 1)),
		stat("Parked sagas", "Sagas that wait for a person.", count, []query{{`sum(max by (service, saga) (` + sagaInstances + `{state="parked"}))`, "parked"}}, above("red", 1)),
	)
	b.topics()
	b.outboxes()
	b.sagas()
	return b.Dashboard
}

func (b *board) topics() {
	b.row("Events")
	b.graphs(
		graph("Published by type", "Events that Kafka took a second.", events, []query{{sum(rate(published, is("outcome", "ok")), "type"), "{{type}}"}}),
		graph("Consumed by service", "Events that services handled a second.", events,
			[]query{{sum(rate(consumed, match(chosenService, is("outcome", "ok"))), "service"), "{{service}}"}}, linked(toService)),
		graph("Lag by topic", "Events that are published and not yet handled, by topic and consumer.", count,
			[]query{{"sum " + by("topic", "service") + " (" + consumerLag + "{" + chosenService + "})", "{{topic}} in {{service}}"}}, above("orange", 1000), linked(toService)),
	)
	b.newLine()
	b.place(columns, 10, table("Who publishes and who handles", "Each event type in each service, now.",
		[]column{
			{title: "Type", expr: "type"},
			{title: "Service", expr: "service", links: []DataLink{{Title: "Dashboard", URL: dashboardOf(ServiceUID("${__data.fields.Service}"))}}},
		},
		[]column{
			{title: "Published", expr: sum(rate(published, chosenService), "type", "service"), unit: events},
			{title: "Handled", expr: sum(rate(consumed, match(chosenService, is("outcome", "ok"))), "type", "service"), unit: events},
			{title: "Given up", expr: sum(rate(consumed, match(chosenService, is("outcome", "dead"))), "type", "service"), unit: events,
				thresholds: steps(Step{Color: "green"}, Step{Color: "red", Value: number(0.0001)})},
			{title: "Handling p99", expr: quantile("0.99", handlerDuration, chosenService, "type", "service"), unit: seconds},
		}))
	b.newLine()
	b.graphs(
		graph("Handling p99 latency", "How long one attempt to handle an event takes.", seconds,
			[]query{{quantile("0.99", handlerDuration, chosenService, "type"), "{{type}}"}}, exemplars),
		graph("Retries", "Attempts a second that failed and were followed by another.", events,
			[]query{{sum(rate(eventRetries, chosenService), "service", "type") + " or " + sum(rate(consumed, chosenService), "service", "type") + " * 0", "{{type}} in {{service}}"}}, linked(toService)),
		graph("Dead letters", "Events a second that were given up and put into a queue of dead letters.", events,
			[]query{{sum(rate(consumed, match(chosenService, is("outcome", "dead"))), "service", "type") + " or " + sum(rate(consumed, chosenService), "service", "type") + " * 0",
				"{{type}} in {{service}}"}}, above("red", 0.0001), linked(toService)),
	)
}

func (b *board) outboxes() {
	b.row("Outboxes")
	b.graphs(
		graph("Oldest event", "Age of the oldest event that is stored and not published.", seconds,
			[]query{{"max by (service) (" + outboxOldest + "{" + chosenService + "})", "{{service}}"}}, above("red", 60), linked(toService)),
		graph("Pending", "Events that are stored and not published.", count,
			[]query{{"max by (service) (" + outboxPending + "{" + chosenService + "})", "{{service}}"}}, linked(toService)),
		graph("Dead", "Events that Kafka refused too often. Each holds up its key until a person redrives or discards it.", count,
			[]query{{"max by (service) (" + outboxDead + "{" + chosenService + "})", "{{service}}"}}, above("red", 1), linked(toService)),
		graph("p99 delay", "From an event's storing until it is published.", seconds,
			[]query{{quantile("0.99", outboxDelay, chosenService, "service"), "{{service}}"}}, linked(toService)),
	)
}

func (b *board) sagas() {
	b.row("Sagas and transactions")
	b.graphs(
		graph("Sagas by state", "Sagas that are not finished. A parked one waits for a person.", count,
			[]query{{"max by (service, saga, state) (" + sagaInstances + ")", "{{saga}} {{state}}"}}, linked(toService)),
		graph("Sagas finished", "Sagas a second, by outcome: completed, or compensated when all was undone.", events,
			[]query{{sum(rate(sagaDuration+"_count", ""), "saga", "outcome"), "{{saga}} {{outcome}}"}}),
		graph("Saga p99 duration", "From a saga's start to its end, by outcome.", seconds, []query{{quantile("0.99", sagaDuration, "", "saga", "outcome"), "{{saga}} {{outcome}}"}}),
		graph("Failed steps", "Attempts of steps that failed a second.", events,
			[]query{{sum(rate(sagaFailures, ""), "saga", "step", "action") + " or " + sum(rate(sagaDuration+"_count", ""), "saga") + " * 0", "{{saga}} {{step}} {{action}}"}}),
	)
	b.graphs(
		graph("Open transactions", "Two-phase commits that are not finished, by state.", count,
			[]query{{"max by (service, coordinator, state) (" + twoPhaseOpen + ")", "{{coordinator}} {{state}}"}}, linked(toService)),
		graph("Transactions in doubt", "Transactions that a participant holds prepared for too long: its rows stay locked.", count,
			[]query{{"max by (service, participant) (" + twoPhaseDoubt + ")", "{{participant}}"}}, above("red", 1), linked(toService)),
		graph("Projections behind", "Age of the oldest event that a read model has not handled.", seconds,
			[]query{{"max by (service, projection) (" + projectionLag + `{state="live"})`, "{{projection}} in {{service}}"}}, above("orange", 60), linked(toService)),
	)
}

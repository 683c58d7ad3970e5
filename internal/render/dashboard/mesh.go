package dashboard

// callee names the service that an Envoy cluster leads to: outbound|8080||orders.shop.svc.cluster.local, or with a subset between the bars.
func callee(expr string) string {
	return `label_replace(` + expr + `, "callee", "$1", "cluster_name", "outbound[|][0-9]+[|][^|]*[|]([^.]+).*")`
}

// mesh is what the sidecars do: encryption, retries, ejections, refusals, and what a canary does better or worse.
func mesh() *Dashboard {
	b := newPlatformBoard(MeshUID, "Mesh", "What the sidecars and the gateway do. Panels named Istio need Istio's own build of Envoy; all others read what any Envoy counts.")
	b.addVariable("service", "Service", "Services with a sidecar.", envoyConnections, "", "service")
	outbound := match(chosenService, like("cluster_name", "outbound.*"))
	b.row("At a glance")
	b.stats(
		stat("Encrypted", "Share of the sidecars' new connections to others, over the time shown, that began with a TLS handshake.", share,
			[]query{{"sum(increase(" + envoyHandshakes + "{" + outbound + "}[$__range])) / (sum(increase(" + envoyConnections + "{" + outbound + "}[$__range])) > 0)", "encrypted"}},
			atLeast(0.999), absent("no connections")),
		stat("Retries", "Requests that sidecars sent again, a second.", perSecond, []query{{sum(rate(envoyRetries, outbound)), "retries"}}),
		stat("Ejected replicas", "Replicas that some sidecar sends nothing to, since they failed.", count,
			[]query{{"sum(" + envoyEjected + "{" + outbound + "})", "ejected"}}, above("orange", 1)),
		stat("Refused", "Requests that policies refused over the time shown.", count,
			[]query{{"sum(increase(" + envoyPolicies + `{` + match(chosenService, is("authz_enforce_result", "denied")) + `}[$__range])) or vector(0)`, "refused"}}, above("orange", 1)),
		stat("Certificate", "Days until the first certificate of a sidecar expires. They are renewed after half their day.", days, []query{{"min(" + envoyCertificate + "{" + chosenService + "})", "days"}}),
		stat("Sidecars", "Sidecars that are connected to istiod.", count, []query{{"sum(" + istiodConnectedPods + ")", "connected"}}),
	)
	b.trust(outbound)
	b.resilience(outbound)
	b.canary()
	b.control()
	b.istio()
	return b.Dashboard
}

func (b *board) trust(outbound string) {
	b.row("Encryption and policy")
	b.graphs(
		graph("Encrypted connections", "Share of a sidecar's new connections that began with a TLS handshake.", share,
			[]query{{sum(rate(envoyHandshakes, outbound), "service") + " / (" + sum(rate(envoyConnections, outbound), "service") + " > 0)", "{{service}}"}}, linked(toService)),
		graph("Refused by policy", "Requests a second that the policies of a service refused: nobody declared them.", perSecond,
			[]query{{sum(rate(envoyPolicies, match(chosenService, is("authz_enforce_result", "denied"))), "service"), "{{service}}"}}, above("orange", 0.001), linked(toService)),
		graph("Allowed by policy", "Requests a second that the policies of a service let through.", perSecond,
			[]query{{sum(rate(envoyPolicies, match(chosenService, is("authz_enforce_result", "allowed"))), "service"), "{{service}}"}}, linked(toService)),
	)
}

func (b *board) resilience(outbound string) {
	b.row("Retries, ejections, limits")
	b.graphs(
		graph("Retries by callee", "Requests a second that a sidecar sent again.", perSecond,
			[]query{{sum(callee(rate(envoyRetries, outbound)), "service", "callee"), "{{service}} to {{callee}}"}}, linked(toService)),
		graph("Retries that helped", "Share of the requests sent again that then succeeded.", share,
			[]query{{ratio(sum(callee(rate(envoyRetriesHelped, outbound)), "callee"), sum(callee(rate(envoyRetries, outbound)), "callee")), "{{callee}}"}}, upToAll),
		graph("Ejected now", "Replicas that a sidecar sends nothing to now, since they failed too often in a row.", count,
			[]query{{sum(callee(envoyEjected+"{"+outbound+"}"), "service", "callee"), "{{callee}} by {{service}}"}}, above("orange", 1), linked(toService)),
		graph("Ejections", "Replicas a second that sidecars took out.", events, []query{{sum(callee(rate(envoyEjections, outbound)), "callee"), "{{callee}}"}}),
		graph("Refused by pool limits", "Requests a second that found the pool of connections full: see traffic.pool.", perSecond,
			[]query{{sum(callee(rate(envoyPoolOverflow, outbound)), "callee"), "{{callee}}"}}, above("red", 0.001)),
	)
}

// canary compares the versions that run, by what the services themselves count.
func (b *board) canary() {
	b.row("Versions: what a canary does better or worse")
	b.graphs(
		graph("Rate by version", "Requests answered a second by each version.", perSecond,
			[]query{{sum(rate(httpRequests, chosenService), "service", "version"), "{{service}} {{version}}"}}, linked(toService)),
		graph("Errors by version", "Share of a version's requests answered with a 5xx.", share, []query{{ratio(
			sum(rate(httpRequests, match(chosenService, like("status", failed))), "service", "version"), sum(rate(httpRequests, chosenService), "service", "version")), "{{service}} {{version}}"}}, linked(toService)),
		graph("p99 latency by version", "The time that 99 % of a version's requests are answered within.", seconds,
			[]query{{quantile("0.99", httpDuration, chosenService, "service", "version"), "{{service}} {{version}}"}}, exemplars, linked(toService)),
	)
}

func (b *board) control() {
	b.row("Configuration")
	b.graphs(
		graph("Configuration p99 delay", "From a change until all sidecars that it concerns have it.", seconds, []query{{quantile("0.99", istiodConvergence, ""), "p99"}}),
		graph("Pushes", "Configurations a second that istiod sent, by kind.", events, []query{{sum(rate(istiodPushes, ""), "type"), "{{type}}"}}),
		graph("Rejected", "Configurations a second that a sidecar did not take. It goes on with the one before.", events,
			[]query{{sum(rate(istiodRejected, "")) + " or vector(0)", "rejected"}}, above("red", 0.001)),
		graph("Sidecar memory", "Memory that Envoy has allocated, by service: the sidecar that has most.", bytesUnit,
			[]query{{"max by (service) (" + envoyMemory + "{" + chosenService + "})", "{{service}}"}}, linked(toService)),
	)
}

// istio holds the panels that only Istio's build of Envoy has data for.
func (b *board) istio() {
	b.row("Istio's own metrics")
	at := match(is("reporter", "destination"), like("destination_app", "$service"))
	b.graphs(
		graph("Istio: mutual TLS", "Share of the requests that arrived over mutual TLS, as the server's sidecar saw it.", share, []query{{ratio(
			sum(rate(istioRequests, match(at, is("connection_security_policy", "mutual_tls"))), "destination_app"), sum(rate(istioRequests, at), "destination_app")), "{{destination_app}}"}}, atLeast(0.999)),
		graph("Istio: why requests failed", "Requests a second by Envoy's response flags: UO pool full, UF no connection, URX retries used up, NR no route.", perSecond,
			[]query{{sum(rate(istioRequests, match(like("destination_app", "$service"), isnt("response_flags", "-"))), "response_flags", "destination_app"), "{{response_flags}} {{destination_app}}"}}),
		graph("Istio: p99 latency by version", "As the server's sidecar saw it: the service with its sidecar.", "ms",
			[]query{{quantile("0.99", istioDuration, at, "destination_app", "destination_version"), "{{destination_app}} {{destination_version}}"}}),
	)
}

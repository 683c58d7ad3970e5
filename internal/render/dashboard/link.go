package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// UIDs of the platform's dashboards. A service's is ServiceUID.
const (
	OverviewUID  = "trellis-overview"
	MeshUID      = "trellis-mesh"
	MessagingUID = "trellis-messaging"
	SLOUID       = "trellis-slo"
)

// ServiceUID is the UID of a service's dashboard: links to it stay, whatever its title becomes.
// Grafana takes 40 characters, so a long name ends in a hash.
func ServiceUID(service string) string {
	uid := "trellis-service-" + service
	if len(uid) <= maxUID || strings.Contains(service, "${") {
		return uid
	}
	sum := sha256.Sum256([]byte(service))
	return uid[:maxUID-7] + "-" + hex.EncodeToString(sum[:3])
}

const maxUID = 40

// Tags by which dashboards find each other.
const (
	platformTag = "trellis-platform"
	serviceTag  = "trellis-service"
)

// explore is the address of Grafana's Explore with a query of a data source, over the time that the dashboard shows.
func explore(source string, query map[string]any) string {
	pane := map[string]any{"a": map[string]any{
		"datasource": source, "queries": []any{query}, "range": map[string]string{"from": "${__from}", "to": "${__to}"},
	}}
	text, err := json.Marshal(pane)
	if err != nil {
		panic(err) // maps of text do not fail
	}
	// Variables are filled in where they stand plainly only.
	escaped := url.QueryEscape(string(text))
	for _, part := range []struct{ escaped, plain string }{{"%24%7B", "${"}, {"%7D", "}"}} {
		if part.plain == "}" {
			escaped = closeVariables(escaped)
			continue
		}
		escaped = strings.ReplaceAll(escaped, part.escaped, part.plain)
	}
	return "/explore?schemaVersion=1&panes=" + escaped
}

// closeVariables unescapes the brace that ends each variable.
func closeVariables(escaped string) string {
	parts := strings.Split(escaped, "${")
	for i := range parts[1:] {
		parts[i+1] = strings.Replace(parts[i+1], "%7D", "}", 1)
	}
	return strings.Join(parts, "${")
}

// tracesOf leads to the traces of a service in Jaeger. More narrows them down by Jaeger's search, such as tags or minDuration.
func tracesOf(service string, more map[string]string) string {
	q := map[string]any{
		"refId": "A", "datasource": Source{Type: "jaeger", UID: "jaeger"}, "queryType": "search", "service": service, "limit": 50,
	}
	for k, v := range more {
		q[k] = v
	}
	return explore("jaeger", q)
}

// logsOf leads to log lines in Loki.
func logsOf(expr string) string {
	return explore("loki", map[string]any{"refId": "A", "datasource": lokiSource, "expr": expr, "queryType": "range"})
}

// dashboardOf is the address of a dashboard, over the same time.
func dashboardOf(uid string) string { return "/d/" + uid + "?${__url_time_range}" }

// plainLink is a dashboard's link to an address.
func plainLink(title, tooltip, address, icon string) Link {
	return Link{Title: title, Type: "link", URL: address, Tags: []string{}, Icon: icon, Tooltip: tooltip, KeepTime: strings.HasPrefix(address, "/d/")}
}

// dashboards is a link to all dashboards with a tag.
func dashboards(title, tag string) Link {
	return Link{Title: title, Type: "dashboards", Tags: []string{tag}, Icon: "external link", AsDropdown: true, KeepTime: true}
}

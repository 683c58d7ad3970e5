package spec

import (
	"go/token"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// kind is a form of text: the values of the tag "is".
type kind struct {
	pattern *regexp.Regexp
	most    int    // characters
	what    string // completes "… is not"
	form    string // the remedy: how to write one
	// refuse says why a text of the right form is still not allowed; nil when there is no more to check.
	refuse func(text string) string
	// numeric kinds may be written without quotes although they are text.
	numeric bool
}

const (
	label  = `[a-z]([-a-z0-9]*[a-z0-9])?`
	domain = `[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`
)

var kinds = map[string]kind{
	// 40 characters leave room for what is made from the name, such as orders-canary and the names of its pods, within
	// the 63 of a DNS label.
	"service": {pattern: whole(label), most: 40, what: "a DNS label", refuse: refuseService,
		form: "use lower-case letters and digits, in words joined by hyphens, a letter first"},
	"name": {pattern: whole(label), most: 63, what: "a DNS label",
		form: "use lower-case letters, digits and hyphens, a letter first"},
	// It ends the names of Deployments and is the tag of images.
	"revision": {pattern: whole(label), most: 10, what: "a version's name",
		form: "use lower-case letters, digits and hyphens, a letter first, such as v2"},
	// <service>-<shard> is the name of a database and of its role, of which PostgreSQL allows 63 characters.
	"shard": {pattern: whole(label), most: 20, what: "a DNS label",
		form: "use lower-case letters, digits and hyphens, a letter first, such as s1"},
	"domain": {pattern: whole(domain + `(\.` + domain + `)*`), most: 253, what: "a domain name",
		form: "write lower-case words joined by dots, such as cluster.local"},
	"host": {pattern: whole(domain + `(\.` + domain + `)+`), most: 253, what: "a fully qualified host name", refuse: refuseHost,
		form: "write the whole name without scheme, port or path, such as api.example.com"},
	"issuer": {pattern: whole(`https?://` + domain + `(\.` + domain + `)*(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?`), most: 300, what: "an issuer's URL",
		form: "write scheme and host, such as https://api.example.com"},
	"link": {pattern: whole(`https?://` + domain + `(\.` + domain + `)*(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?`), most: 300, what: "a URL",
		form: "write scheme, host and path, such as https://grafana.example.com"},
	"registry": {pattern: whole(`[a-z0-9]([-.a-z0-9]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*`), most: 200, what: "an image registry",
		form: "write host and path without scheme, such as registry.example.com/shop"},
	"image": {pattern: whole(`[a-z0-9]([-.a-z0-9]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?`), most: 300, what: "an image's reference",
		form: "write registry, name and tag, such as registry.example.com/library/redis:8.2.1"},
	"label": {pattern: whole(`[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?`), most: 63, what: "a Kubernetes label's value",
		form: "use letters, digits, hyphens, dots and underscores, a letter or digit at both ends"},
	"line": {pattern: whole(`\S([^\r\n]*\S)?`), most: 200, what: "a line of text",
		form: "write one line without blanks at its ends"},
	"path": {pattern: whole(`[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\.(yaml|yml|json)`), most: 200, what: "the path of a YAML or JSON file below the service's folder",
		form: "write it relative to the service's folder, such as api/openapi.yaml"},
	"operation": {pattern: whole(`[a-z][A-Za-z0-9]*`), most: 64, what: "an operationId",
		form: "use letters and digits, a lower-case letter first, such as getStock"},
	// The type is a Kafka topic too, of which 249 characters are allowed; the dead-letter topics need some.
	"event": {pattern: whole(`[a-z][a-z0-9]*(-[a-z0-9]+)*(\.[a-z][a-z0-9]*(-[a-z0-9]+)*)+\.v[1-9][0-9]{0,3}`), most: 120, what: "an event type", refuse: refuseEvent,
		form: "write name.verb.version in lower case, such as order.created.v1"},
	"header": {pattern: whole(`[a-z0-9]([-a-z0-9]*[a-z0-9])?`), most: 100, what: "a header's name", refuse: refuseHeader,
		form: "use lower-case letters, digits and hyphens, such as x-canary"},
	"cpu": {pattern: whole(`[0-9]{1,6}m|[0-9]{1,4}(\.[0-9]{1,3})?`), most: 10, what: "an amount of processors", refuse: refuseZero, numeric: true,
		form: "write thousandths of a core, such as 250m, or cores, such as 2"},
	"memory": {pattern: whole(`[0-9]{1,15}(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T)?`), most: 20, what: "an amount of memory", refuse: refuseZero, numeric: true,
		form: "write bytes with a unit of Ki, Mi, Gi, k, M or G, such as 128Mi"},
	"use": {pattern: whole(`saga|twophase|eventstore|ratelimit`), most: 20, what: "a part of the chassis that has to be named here",
		form: "write saga, twophase, eventstore or ratelimit"},
	"metric": {pattern: whole(`[a-z][a-z0-9]*(_[a-z0-9]+)+`), most: 100, what: "a metric's name",
		form: "use lower-case words joined by underscores, the service's name first, such as orders_settled_total"},
	"metriclabel": {pattern: whole(`[a-z][a-z0-9]*(_[a-z0-9]+)*`), most: 40, what: "a label's name", refuse: refuseMetricLabel,
		form: "use lower-case words joined by underscores, such as outcome"},
	"bound": {pattern: whole(`[0-9]{1,9}(\.[0-9]{1,6})?`), most: 16, what: "an upper bound", numeric: true,
		form: "write a number, such as 0.25"},
	"version": {pattern: whole(`v?[0-9]+(\.[0-9]+){0,3}(-[0-9A-Za-z.-]+)?(@sha256:[0-9a-f]{64})?`), most: 150, what: "a version",
		form: "write an exact version, such as 1.31.1; quote it when it looks like a number"},
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(` + pattern + `)$`) }

// reserved are the names that no service can have, and why.
var reserved = map[string]string{
	"internal": "Go treats a folder of that name specially",
	"vendor":   "Go treats a folder of that name specially",
	"testdata": "Go treats a folder of that name specially",
	"main":     "it is Go's name for a program",
	"init":     "it is Go's name for a start-up function",
	"handler":  "the generated code of every service uses it",
	"deps":     "the generated code of every service uses it",
	"store":    "the generated code of every service uses it",

	"kubernetes":   "the cluster has a service of that name",
	"localhost":    "it means this machine",
	"kafka":        "a part of the platform has it",
	"postgres":     "a part of the platform has it",
	"redis":        "a part of the platform has it",
	"prometheus":   "a part of the platform has it",
	"alertmanager": "a part of the platform has it",
	"grafana":      "a part of the platform has it",
	"jaeger":       "a part of the platform has it",
	"loki":         "a part of the platform has it",
	"istiod":       "a part of the platform has it",
}

func refuseService(name string) string {
	if why, ok := reserved[name]; ok {
		return "is reserved: " + why
	}
	if IsDevice(name) {
		return deviceReserved
	}
	if token.IsKeyword(name) {
		return "is reserved: it is a keyword of Go"
	}
	if strings.Contains(name, "--") {
		return "has two hyphens together, which international domain names have a meaning for"
	}
	if strings.HasSuffix(name, "-ingress") {
		return "ends like the mesh's rules for what comes from outside"
	}
	return ""
}

// refuseMetricLabel keeps to a service's own labels: Prometheus gives the others to each target.
func refuseMetricLabel(name string) string {
	if slices.Contains([]string{"service", "version", "pod", "namespace", "job", "instance", "le", "quantile"}, name) {
		return "is reserved: what scrapes the metrics sets it"
	}
	return ""
}

// device is what Windows takes for a device wherever it stands in a path, with any ending. The go command refuses a module
// that has a file or a folder of such a name.
var device = whole(`con|prn|aux|nul|(com|lpt)[1-9]`)

const deviceReserved = "is reserved: it is a device on Windows, and Go builds no folder or file of that name"

// IsDevice reports whether no file or folder can have the name, which is in lower case.
func IsDevice(name string) bool { return device.MatchString(name) }

// refuseEvent: the type names the file of its schema.
func refuseEvent(eventType string) string {
	if first, _, _ := strings.Cut(eventType, "."); IsDevice(first) {
		return "begins with a reserved word: a file called " + first + " is a device on Windows"
	}
	return ""
}

func refuseHost(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return "is an address, and certificates and policies need a name"
	}
	if strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".cluster.local") {
		return "is a name inside the cluster: declare a call instead"
	}
	return ""
}

// standing are headers that every request may have for a reason of its own, or that say how a connection is used: none of them
// marks a request for another version of a service.
var standing = []string{
	"accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "cache-control", "connection", "content-encoding",
	"content-length", "content-type", "cookie", "date", "expect", "forwarded", "host", "http2-settings", "if-match", "if-modified-since",
	"if-none-match", "if-range", "if-unmodified-since", "keep-alive", "origin", "pragma", "range", "referer", "set-cookie", "te", "trailer",
	"transfer-encoding", "upgrade", "user-agent", "via", "baggage", "traceparent", "tracestate", "x-real-ip", "x-request-id",
}

func refuseHeader(name string) string {
	prefixed := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	if slices.Contains(standing, name) || slices.ContainsFunc([]string{"proxy-", "sec-", "x-b3-", "x-envoy-", "x-forwarded-"}, prefixed) {
		return "has a meaning of its own in every request"
	}
	return ""
}

func refuseZero(text string) string {
	if amount(text) == 0 {
		return "is nothing at all"
	}
	return ""
}

// slug makes a name of the right form from text, or "".
func slug(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || 'z' < r) && (r < '0' || '9' < r) })
	name := strings.TrimLeft(strings.Join(words, "-"), "0123456789-")
	if len(name) > kinds["service"].most {
		name = strings.TrimRight(name[:kinds["service"].most], "-")
	}
	if refuseService(name) != "" {
		return ""
	}
	return name
}

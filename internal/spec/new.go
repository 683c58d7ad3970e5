package spec

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SchemaDir is where a platform keeps the JSON Schemas of its declarations, relative to its root.
const SchemaDir = "schema"

// Options are what a new service is declared with.
type Options struct {
	Owner, Summary      string // empty for the default
	Database, Cache     string // kinds; empty for none
	Shards              []string
	Calls               []CallOption
	Publishes, Consumes []string
	Externals           []External // a zero Port or TLS is left out
	Ingress             []string
}

// CallOption is a call to another service.
type CallOption struct {
	Service    string
	Operations []string
}

// NewService writes the text of a service.yaml: what was chosen, and comments that teach the rest. The text is not
// checked; ParseService does that.
func NewService(name string, o Options) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# yaml-language-server: $schema=../../%s/service.schema.json\n", SchemaDir)
	fmt.Fprintf(&b, "name: %s\n", plain(name))
	fmt.Fprintf(&b, "owner: %s\n", plain(either(o.Owner, "platform")))
	fmt.Fprintf(&b, "summary: %s\n", plain(either(o.Summary, "The "+name+" service.")))
	if o.Database != "" && o.Database != "none" {
		shards := ""
		if len(o.Shards) > 0 {
			shards = ", shards: " + flowList(o.Shards)
		}
		fmt.Fprintf(&b, "database: {kind: %s%s} # its own; nobody else can open it\n", scalar(o.Database), shards)
	}
	if o.Cache != "" && o.Cache != "none" {
		fmt.Fprintf(&b, "cache: {kind: %s}\n", scalar(o.Cache))
	}
	newCalls(&b, o.Calls)
	if len(o.Publishes)+len(o.Consumes) > 0 {
		b.WriteString("events:\n")
		newList(&b, "  ", "publishes", o.Publishes)
		newList(&b, "  ", "consumes", o.Consumes)
	}
	if len(o.Externals) > 0 {
		b.WriteString("externals: # all other hosts outside the mesh are refused\n")
		for _, e := range o.Externals {
			fmt.Fprintf(&b, "  - %s\n", flowExternal(e))
		}
	}
	newList(&b, "", "ingress", o.Ingress)
	b.WriteString(newHints(o))
	return []byte(b.String())
}

func newCalls(b *strings.Builder, calls []CallOption) {
	if len(calls) == 0 {
		return
	}
	b.WriteString("calls: # the mesh refuses every operation that is not named here\n")
	for _, call := range calls {
		fmt.Fprintf(b, "  %s:\n", scalar(call.Service))
		newList(b, "    ", "operations", call.Operations)
		b.WriteString("    timeout: 1s # with all attempts\n")
		b.WriteString("    onFailure: fail # or degrade: answer without it\n")
	}
}

// hints are what can be declared beside what a new service says already, a line a key.
var hints = []struct{ key, text string }{
	{"http", "http: {port: 8080, contract: api/openapi.yaml, timeout: 15s}"},
	{"database", "database: {kind: none} # or postgres"},
	{"cache", "cache: {kind: none} # or redis"},
	{"flags", "flags: {kind: none} # or file: deploy/flags.yaml, which is followed"},
	{"calls", "calls: {} # SERVICE: {operations: [getThing], timeout: 1s, retry: {attempts: 2}, concurrency: 20, onFailure: fail}"},
	{"events", "events: {publishes: [], consumes: []} # types such as order.created.v1"},
	{"externals", "externals: [] # {host: api.example.com, port: 443, tls: originate}"},
	{"ingress", "ingress: [] # operations that can be reached from outside"},
	{"traffic", "traffic: {outlier: {consecutive5xx: 5, interval: 10s, ejection: 30s, maxEjected: 50}, pool: {connections: 100, pending: 50, requests: 1000}}"},
	{"slo", "slo: {availability: 99.9, latency: {percentile: 99, under: 500ms}, window: 30d}"},
	{"run", "run: {replicas: {min: 2, max: 6}, cpu: {request: 50m, limit: 500m}, memory: {request: 64Mi, limit: 128Mi}}"},
}

func newHints(o Options) string {
	given := map[string]bool{
		"database":  o.Database != "" && o.Database != "none",
		"cache":     o.Cache != "" && o.Cache != "none",
		"calls":     len(o.Calls) > 0,
		"events":    len(o.Publishes)+len(o.Consumes) > 0,
		"externals": len(o.Externals) > 0,
		"ingress":   len(o.Ingress) > 0,
	}
	var b strings.Builder
	b.WriteString("\n# What else can be said, with its defaults. Uncomment a line to change it, then run: scaffold sync\n")
	for _, hint := range hints {
		if !given[hint.key] {
			b.WriteString("# " + hint.text + "\n")
		}
	}
	return b.String()
}

// newList writes a list in one line, or in a line an item when it is long; an empty list is left out.
func newList(b *strings.Builder, indent, key string, items []string) {
	if len(items) == 0 {
		return
	}
	if line := fmt.Sprintf("%s%s: %s", indent, key, flowList(items)); len(line) <= longestLine {
		b.WriteString(line + "\n")
		return
	}
	fmt.Fprintf(b, "%s%s:\n", indent, key)
	for _, item := range items {
		fmt.Fprintf(b, "%s  - %s\n", indent, scalar(item))
	}
}

// longestLine is how long a line with a list may get before it is broken.
const longestLine = 110

func flowList(items []string) string {
	written := make([]string, len(items))
	for i, item := range items {
		written[i] = scalar(item)
	}
	return "[" + strings.Join(written, ", ") + "]"
}

func flowExternal(e External) string {
	text := "{host: " + scalar(e.Host)
	if e.Port != 0 {
		text += fmt.Sprintf(", port: %d", e.Port)
	}
	if e.TLS != "" {
		text += ", tls: " + scalar(e.TLS)
	}
	return text + "}"
}

// scalar writes a text so that YAML reads it as the same text, inside braces too.
func scalar(text string) string {
	if strings.ContainsAny(text, ",[]{}") {
		return written(text, yaml.DoubleQuotedStyle)
	}
	return plain(text)
}

// plain is scalar for texts outside braces.
func plain(text string) string {
	if strings.Contains(text, "\n") {
		return written(text, yaml.DoubleQuotedStyle)
	}
	return written(text, 0)
}

func written(text string, style yaml.Style) string {
	raw, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: style})
	if err != nil {
		return strconv.Quote(text)
	}
	return strings.TrimSpace(string(raw))
}

func either(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

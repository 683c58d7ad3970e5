package rule

import (
	"fmt"
	"strings"
)

// YAML writes the rules as Prometheus reads them.
func (f *File) YAML() string {
	var b strings.Builder
	b.WriteString("groups:\n")
	for i, g := range f.Groups {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "  - name: %s\n", g.Name)
		if g.Interval != "" {
			fmt.Fprintf(&b, "    interval: %s\n", g.Interval)
		}
		b.WriteString("    rules:\n")
		for _, r := range g.Rules {
			r.write(&b)
		}
	}
	return b.String()
}

func (r Rule) write(b *strings.Builder) {
	if r.Alert != "" {
		fmt.Fprintf(b, "      - alert: %s\n", r.Alert)
	} else {
		fmt.Fprintf(b, "      - record: %s\n", r.Record)
	}
	if strings.Contains(r.Expr, "\n") {
		fmt.Fprintf(b, "        expr: |-\n          %s\n", strings.ReplaceAll(r.Expr, "\n", "\n          "))
	} else {
		fmt.Fprintf(b, "        expr: %s\n", single(r.Expr))
	}
	if r.For != "" && r.For != "0ms" {
		fmt.Fprintf(b, "        for: %s\n", r.For)
	}
	write := func(key string, pairs []Pair) {
		if len(pairs) == 0 {
			return
		}
		fmt.Fprintf(b, "        %s:\n", key)
		for _, p := range pairs {
			fmt.Fprintf(b, "          %s: %s\n", p.Name, single(p.Value))
		}
	}
	write("labels", r.Labels)
	write("annotations", r.Annotations)
}

// single writes a text in YAML's single quotes, in which PromQL's double quotes need no escapes.
func single(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

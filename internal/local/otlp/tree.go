package otlp

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Tree draws the trace as text, a line a span: service, name, kind, duration, and the status of a failed one.
func (t Trace) Tree() string {
	roots, children := t.family()
	var rows []row
	drawn := make(map[string]bool, len(t.Spans))
	for _, s := range roots {
		rows = branch(rows, s, children, drawn, "", "")
	}
	// Spans whose parents form a circle have no root; they are shown all the same.
	for _, s := range t.Spans {
		if !drawn[s.ID] {
			rows = branch(rows, s, children, drawn, "", "")
		}
	}
	sum := t.Summary()
	var out strings.Builder
	fmt.Fprintf(&out, "trace %s  %s  %s  %s\n", t.ID, count(len(sum.Services), "service"), count(sum.Spans, "span"), round(sum.Duration))
	width := 0
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r.label))
	}
	for _, r := range rows {
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(r.label))
		line := fmt.Sprintf("%s%s  %-8s  %9s  %s", r.label, pad, r.span.Kind, round(r.span.Duration), r.note())
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return out.String()
}

type row struct {
	label string
	span  Span
}

func (r row) note() string {
	if !r.span.Error {
		return ""
	}
	return strings.TrimSpace("error " + r.span.Status)
}

func branch(rows []row, s Span, children map[string][]Span, drawn map[string]bool, lead, indent string) []row {
	if drawn[s.ID] {
		return rows
	}
	drawn[s.ID] = true
	rows = append(rows, row{label: lead + s.Service + "  " + s.Name, span: s})
	kids := children[s.ID]
	for i, kid := range kids {
		if i == len(kids)-1 {
			rows = branch(rows, kid, children, drawn, indent+"└─ ", indent+"   ")
			continue
		}
		rows = branch(rows, kid, children, drawn, indent+"├─ ", indent+"│  ")
	}
	return rows
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func round(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond)
	default:
		return d.Round(time.Microsecond)
	}
}

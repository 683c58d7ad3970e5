// Package otlp is a small receiver of traces and log records for a developer's machine: it takes OTLP over HTTP, keeps the
// last of them in memory, and shows them as JSON or as a text tree. It samples nothing, stores nothing on disk and knows no users, so it
// is not for production; there an OpenTelemetry Collector stands in its place.
//
//	sink := otlp.NewSink(otlp.Options{})
//	go http.Serve(listener, sink)          // exporters post to /v1/traces, people read /traces
//	trace, err := sink.Wait(ctx, func(t otlp.Trace) bool { return t.Service("orders") })
package otlp

import (
	"cmp"
	"slices"
	"time"
)

// Trace is the spans seen so far with one trace id, in order of their start.
type Trace struct {
	ID    string `json:"id"`
	Spans []Span `json:"spans"`
}

// Span is one timed piece of work.
type Span struct {
	ID         string         `json:"id"`
	Parent     string         `json:"parent,omitempty"`
	Service    string         `json:"service"`
	Name       string         `json:"name"`
	Kind       string         `json:"kind"` // internal, server, client, producer or consumer
	Start      time.Time      `json:"start"`
	Duration   time.Duration  `json:"durationNanos"`
	Error      bool           `json:"error,omitempty"`
	Status     string         `json:"status,omitempty"` // the status message, when there is one
	Attributes map[string]any `json:"attributes,omitempty"`
	Events     []Event        `json:"events,omitempty"`
	Links      []string       `json:"links,omitempty"` // trace ids
}

// Event is something that happened during a span.
type Event struct {
	Name       string         `json:"name"`
	Time       time.Time      `json:"time"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// Summary is one line about a trace.
type Summary struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`    // the first root span's
	Service  string        `json:"service"` // the first root span's
	Services []string      `json:"services"`
	Spans    int           `json:"spans"`
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"durationNanos"`
	Error    bool          `json:"error,omitempty"`
}

// Service reports whether a span of the trace comes from that service.
func (t Trace) Service(name string) bool {
	return slices.ContainsFunc(t.Spans, func(s Span) bool { return s.Service == name })
}

// Services are the names of the services in the trace, sorted.
func (t Trace) Services() []string {
	var names []string
	for _, s := range t.Spans {
		names = append(names, s.Service)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Summary describes the trace in one line.
func (t Trace) Summary() Summary {
	sum := Summary{ID: t.ID, Services: t.Services(), Spans: len(t.Spans)}
	if roots, _ := t.family(); len(roots) > 0 {
		sum.Name, sum.Service = roots[0].Name, roots[0].Service
	}
	var end time.Time
	for _, s := range t.Spans {
		if sum.Start.IsZero() || s.Start.Before(sum.Start) {
			sum.Start = s.Start
		}
		if e := s.Start.Add(s.Duration); e.After(end) {
			end = e
		}
		sum.Error = sum.Error || s.Error
	}
	sum.Duration = end.Sub(sum.Start)
	return sum
}

// family splits the spans into roots and children by parent id. A span whose parent has not arrived is a root.
func (t Trace) family() (roots []Span, children map[string][]Span) {
	known := make(map[string]bool, len(t.Spans))
	for _, s := range t.Spans {
		known[s.ID] = true
	}
	children = make(map[string][]Span)
	for _, s := range t.Spans {
		if s.Parent == "" || s.Parent == s.ID || !known[s.Parent] {
			roots = append(roots, s)
			continue
		}
		children[s.Parent] = append(children[s.Parent], s)
	}
	return roots, children
}

func byStart(a, b Span) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
}

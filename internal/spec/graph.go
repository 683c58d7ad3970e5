package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// EdgeKind says how one service depends on another.
type EdgeKind string

// The kinds of edges.
const (
	CallEdge  EdgeKind = "call"  // From calls To, synchronously
	EventEdge EdgeKind = "event" // From publishes what To consumes
)

// Edge is one dependency: a declared call with its operations, or an event type that flows from one service to another.
type Edge struct {
	From       string   `json:"from"`
	To         string   `json:"to"`
	Kind       EdgeKind `json:"kind"`
	Operations []string `json:"operations,omitempty"`
	Event      string   `json:"event,omitempty"`
}

// index is the call graph turned round, made once a model.
type index struct {
	callers    map[string][]*Service
	publishers map[string][]*Service
	consumers  map[string][]*Service
	externals  map[string][]*Service
}

func (m *Model) graph() *index {
	m.once.Do(func() {
		x := &index{map[string][]*Service{}, map[string][]*Service{}, map[string][]*Service{}, map[string][]*Service{}}
		for _, s := range m.Services {
			for callee := range s.Calls {
				x.callers[callee] = append(x.callers[callee], s)
			}
			for _, t := range s.Events.Publishes {
				x.publishers[t] = append(x.publishers[t], s)
			}
			for _, t := range s.Events.Consumes {
				x.consumers[t] = append(x.consumers[t], s)
			}
			for _, e := range s.Externals {
				if all := x.externals[e.Host]; len(all) == 0 || all[len(all)-1] != s {
					x.externals[e.Host] = append(all, s)
				}
			}
		}
		m.index = x
	})
	return m.index
}

// Callers gives the services that declare a call to the named one, sorted by name.
func (m *Model) Callers(service string) []*Service { return m.graph().callers[service] }

// Callees gives the existing services that the named one calls, sorted by name.
func (m *Model) Callees(service string) []*Service {
	s := m.Service(service)
	if s == nil {
		return nil
	}
	var callees []*Service
	for _, name := range s.Callees() {
		if callee := m.Service(name); callee != nil {
			callees = append(callees, callee)
		}
	}
	return callees
}

// Callees gives the names of the services that s calls, sorted.
func (s *Service) Callees() []string {
	names := make([]string, 0, len(s.Calls))
	for name := range s.Calls {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Publishers gives the services that publish the event type, sorted by name.
func (m *Model) Publishers(event string) []*Service { return m.graph().publishers[event] }

// Consumers gives the services that consume the event type, sorted by name.
func (m *Model) Consumers(event string) []*Service { return m.graph().consumers[event] }

// External gives the services that may reach the host outside the mesh, sorted by name.
func (m *Model) External(host string) []*Service { return m.graph().externals[host] }

// Edges gives every dependency in a stable order: by the depending service, its calls first, then the events it publishes.
func (m *Model) Edges() []Edge {
	var edges []Edge
	for _, s := range m.Services {
		for _, callee := range s.Callees() {
			edges = append(edges, Edge{From: s.Name, To: callee, Kind: CallEdge, Operations: s.Calls[callee].Operations})
		}
		for _, t := range slices.Sorted(slices.Values(s.Events.Publishes)) {
			for _, consumer := range m.Consumers(t) {
				edges = append(edges, Edge{From: s.Name, To: consumer.Name, Kind: EventEdge, Event: t})
			}
		}
	}
	return edges
}

// Formats are the forms in which Graph can be written.
func Formats() []string { return []string{"mermaid", "dot", "json"} }

// Graph writes the services and their dependencies in one of Formats. Calls are solid lines, events dashed ones.
func (m *Model) Graph(format string) ([]byte, error) {
	switch format {
	case "mermaid":
		return m.mermaid(), nil
	case "dot":
		return m.dot(), nil
	case "json":
		return m.graphJSON()
	}
	return nil, fmt.Errorf("graph format %q is not known: use %s", format, strings.Join(Formats(), ", "))
}

func (e Edge) label(separator string) string {
	if e.Kind == EventEdge {
		return e.Event
	}
	return strings.Join(e.Operations, separator)
}

func (m *Model) mermaid() []byte {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for _, s := range m.Services {
		// Mermaid reads words such as "end" and hyphens in an identifier as syntax, so the identifier is made safe.
		fmt.Fprintf(&b, "  %s[%q]\n", mermaidID(s.Name), s.Name)
	}
	for _, e := range m.Edges() {
		arrow := "-->"
		if e.Kind == EventEdge {
			arrow = "-.->"
		}
		fmt.Fprintf(&b, "  %s %s|%q| %s\n", mermaidID(e.From), arrow, e.label("<br/>"), mermaidID(e.To))
	}
	return []byte(b.String())
}

func mermaidID(name string) string { return "s_" + strings.ReplaceAll(name, "-", "_") }

func (m *Model) dot() []byte {
	var b strings.Builder
	b.WriteString("digraph platform {\n  rankdir=LR;\n  node [shape=box];\n")
	for _, s := range m.Services {
		fmt.Fprintf(&b, "  %q;\n", s.Name)
	}
	for _, e := range m.Edges() {
		style := ""
		if e.Kind == EventEdge {
			style = ", style=dashed"
		}
		fmt.Fprintf(&b, "  %q -> %q [label=%q%s];\n", e.From, e.To, e.label("\n"), style)
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

func (m *Model) graphJSON() ([]byte, error) {
	services := make([]string, len(m.Services))
	for i, s := range m.Services {
		services[i] = s.Name
	}
	edges := m.Edges()
	if edges == nil {
		edges = []Edge{}
	}
	raw, err := json.MarshalIndent(struct {
		Services []string `json:"services"`
		Edges    []Edge   `json:"edges"`
	}{services, edges}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the graph as JSON: %w", err)
	}
	return append(raw, '\n'), nil
}

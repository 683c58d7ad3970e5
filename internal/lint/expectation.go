package lint

import (
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/trellis-mesh/trellis/chassis/expect"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// expectations checks that what a service expects of others is about what it calls and consumes, and about all of that: whoever has
// begun to say what it expects of a provider keeps it whole.
func (c *checks) expectations(s *spec.Service) {
	for _, f := range s.Expectations {
		provider := c.model.Service(f.Provider)
		if provider == nil {
			c.problems.Add(spec.Position{File: f.Path, Line: 1, Column: 1}, spec.DidYouMean(f.Provider, "the services are", c.others(s)),
				"%s expects something of %s, but there is no such service", s.Name, f.Provider)
			continue
		}
		c.expectedOperations(s, provider, f)
		c.expectedEvents(s, provider, f)
	}
}

func (c *checks) expectedOperations(s, provider *spec.Service, f *expect.File) {
	var called []string
	if call := s.Calls[provider.Name]; call != nil {
		called = call.Operations
	}
	var expected []string
	for _, o := range f.Operations {
		expected = append(expected, o.ID)
		at := spec.Position{File: f.Path, Line: o.Line, Column: 1}
		switch {
		case provider.Contract.Operations[o.ID] == nil:
			c.problems.Add(at, spec.DidYouMean(o.ID, "its operations are", operationIDs(provider.Contract)),
				"%s expects something of %s, but %s has no such operation", s.Name, o.ID, provider.Name)
		case !slices.Contains(called, o.ID):
			c.problems.Add(at, "remove it, or declare the call: `scaffold add "+s.Name+" call "+provider.Name+":"+o.ID+"`",
				"%s expects something of %s, which it does not declare to call", s.Name, o.ID)
		}
	}
	for i, id := range called {
		if !slices.Contains(expected, id) && provider.Contract.Operations[id] != nil {
			c.problems.Add(s.At(item("calls."+provider.Name+".operations", i)), "write it there, so that a change of "+provider.Name+" cannot break it unseen",
				"%s calls %s, but %s does not say what it expects of it", s.Name, id, f.Path)
		}
	}
}

func (c *checks) expectedEvents(s, provider *spec.Service, f *expect.File) {
	var expected []string
	for _, e := range f.Events {
		expected = append(expected, e.Type)
		at := spec.Position{File: f.Path, Line: e.Line, Column: 1}
		switch {
		case !slices.Contains(provider.Events.Publishes, e.Type):
			c.problems.Add(at, spec.DidYouMean(e.Type, "it publishes", provider.Events.Publishes), "%s reads %s, which %s does not publish", s.Name, e.Type, provider.Name)
		case !slices.Contains(s.Events.Consumes, e.Type):
			c.problems.Add(at, "remove it, or declare it: `scaffold add "+s.Name+" event consume "+e.Type+"`",
				"%s expects something of %s, which it does not declare to consume", s.Name, e.Type)
		}
	}
	for i, t := range s.Events.Consumes {
		if slices.Contains(provider.Events.Publishes, t) && !slices.Contains(expected, t) {
			c.problems.Add(s.At(item("events.consumes", i)), "write it there, so that a change of the event cannot break it unseen",
				"%s consumes %s, but %s does not say what it reads of it", s.Name, t, f.Path)
		}
	}
}

// breaches are the expectations that contracts, which are valid, do not meet. They stand where the provider says otherwise, since that is
// most likely what has changed.
func breaches(m *spec.Model) spec.Problems {
	var problems spec.Problems
	add := func(at spec.Position, subject string, f *expect.File, b expect.Breach) {
		problems.Add(at, fmt.Sprintf("take it back, or change %s first and then what it expects", f.Consumer),
			"%s %s; %s %s (%s:%d)", subject, b.Provider, f.Consumer, b.Consumer, f.Path, b.Line)
	}
	for _, s := range m.Services {
		for _, f := range s.Expectations {
			provider := m.Service(f.Provider)
			if provider == nil {
				continue
			}
			for _, expected := range f.Operations {
				o := provider.Contract.Operations[expected.ID]
				if o == nil {
					continue
				}
				for _, b := range operationBreaches(provider, o, expected) {
					add(o.Position, provider.Name+": "+o.ID, f, b)
				}
			}
			for _, expected := range f.Events {
				event := m.Events[expected.Type]
				if event == nil {
					continue
				}
				for _, b := range expected.Check(eventSchema(event.Schema)) {
					add(spec.Position{File: event.Path, Line: 1, Column: 1}, provider.Name+": "+event.Type, f, b)
				}
			}
		}
	}
	return problems
}

func operationBreaches(provider *spec.Service, o *spec.Operation, expected expect.Operation) []expect.Breach {
	doc, err := provider.Contract.Doc()
	if err != nil {
		return nil // told already
	}
	item := doc.Paths.Value(o.Path)
	var all []expect.Breach
	for _, exchange := range expected.Exchanges {
		for _, b := range exchange.Check(item, item.GetOperation(o.Method)) {
			if !slices.ContainsFunc(all, func(other expect.Breach) bool { return other.Provider == b.Provider && other.Consumer == b.Consumer }) {
				all = append(all, b) // two exchanges may read the same
			}
		}
	}
	return all
}

// eventSchema is the schema of an event as OpenAPI writes it.
func eventSchema(s *spec.Schema) *openapi3.Schema {
	out := &openapi3.Schema{Type: &openapi3.Types{s.Type}, Format: s.Format, Enum: s.Enum, Properties: openapi3.Schemas{}}
	for _, p := range s.Properties {
		out.Properties[p.Name] = eventSchema(p.Schema).NewRef()
		if p.Required {
			out.Required = append(out.Required, p.Name)
		}
	}
	if s.Items != nil {
		out.Items = eventSchema(s.Items).NewRef()
	}
	return out
}

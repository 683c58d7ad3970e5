package expect

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Fault is something wrong in a file of expectations.
type Fault struct {
	Line, Column int
	Message      string
}

// Faults are all that is wrong in a file, as an error.
type Faults []Fault

// Error gives one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fmt.Sprintf("line %d: %s", fault.Line, fault.Message)
	}
	return strings.Join(lines, "\n")
}

// Parse reads services/<consumer>/contracts/<provider>.yaml. The error is of type Faults.
func Parse(file string, raw []byte) (*File, error) {
	p := &parser{}
	f := &File{
		Path: file, Consumer: path.Base(path.Dir(path.Dir(file))),
		Provider: strings.TrimSuffix(path.Base(file), path.Ext(file)),
	}
	var document yaml.Node
	switch err := yaml.Unmarshal(raw, &document); {
	case err != nil:
		return nil, Faults{{1, 1, "the YAML cannot be read: " + err.Error()}}
	case len(document.Content) == 0:
		return nil, Faults{{1, 1, "the file is empty; write operations or events, or remove it"}}
	}
	p.mapping(document.Content[0], "the file", func(key, value *yaml.Node) {
		switch key.Value {
		case "operations":
			p.mapping(value, "operations", func(id, exchanges *yaml.Node) {
				f.Operations = append(f.Operations, Operation{ID: id.Value, Line: id.Line, Exchanges: p.exchanges(id.Value, exchanges)})
			})
		case "events":
			p.mapping(value, "events", func(name, reads *yaml.Node) {
				f.Events = append(f.Events, Event{Type: name.Value, Line: name.Line, Reads: p.object(reads, name.Value)})
			})
		default:
			p.fault(key, "unknown key %q; write operations or events", key.Value)
		}
	})
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return f, nil
}

type parser struct{ faults Faults }

func (p *parser) fault(n *yaml.Node, format string, args ...any) {
	p.faults = append(p.faults, Fault{n.Line, n.Column, fmt.Sprintf(format, args...)})
}

// mapping calls each for the pairs of a mapping that is named what.
func (p *parser) mapping(n *yaml.Node, what string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.fault(n, "%s must hold keys and values", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if seen[key.Value] {
			p.fault(key, "%s stands twice", key.Value)
		}
		seen[key.Value] = true
		each(key, n.Content[i+1])
	}
}

func (p *parser) exchanges(id string, n *yaml.Node) []Exchange {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fault(n, "%s must hold a list of exchanges: - {when: …, status: 200, reads: …}", id)
		return nil
	}
	all := make([]Exchange, len(n.Content))
	for i, item := range n.Content {
		all[i] = p.exchange(item, id)
	}
	return all
}

func (p *parser) exchange(n *yaml.Node, id string) Exchange {
	e := Exchange{Line: n.Line}
	p.mapping(n, "an exchange of "+id, func(key, value *yaml.Node) {
		switch key.Value {
		case "when":
			e.When = p.text(value, key.Value)
		case "path":
			e.Path = p.texts(value, key.Value)
		case "query":
			e.Query = p.texts(value, key.Value)
		case "headers":
			e.Header = p.texts(value, key.Value)
		case "body":
			e.Body = p.value(value)
		case "status":
			status, err := strconv.Atoi(value.Value)
			if err != nil || status < 200 || status > 599 {
				p.fault(value, "status must be one of HTTP, such as 200")
			}
			e.Status = status
		case "reads":
			e.Reads = p.shape(value, "reads")
		default:
			p.fault(key, "unknown key %q; the keys here are when, path, query, headers, body, status and reads", key.Value)
		}
	})
	if e.Status == 0 && n.Kind == yaml.MappingNode {
		p.fault(n, "an exchange of %s has no status", id)
	}
	return e
}

func (p *parser) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		p.fault(n, "%s must be a text", what)
	}
	return n.Value
}

func (p *parser) texts(n *yaml.Node, what string) map[string]string {
	all := map[string]string{}
	p.mapping(n, what, func(key, value *yaml.Node) { all[key.Value] = p.text(value, what+"."+key.Value) })
	return all
}

// value is what encoding/json would make of it.
func (p *parser) value(n *yaml.Node) any {
	var value, out any
	err := n.Decode(&value)
	if err == nil {
		var raw []byte
		if raw, err = json.Marshal(value); err == nil {
			err = json.Unmarshal(raw, &out)
		}
	}
	if err != nil {
		p.fault(n, "body is no JSON: %v", err)
	}
	return out
}

var scalars = []string{String, Time, Integer, Number, Boolean}

func (p *parser) shape(n *yaml.Node, what string) *Shape {
	s := &Shape{Line: n.Line}
	switch {
	case n.Kind == yaml.MappingNode:
		return p.object(n, what)
	case n.Kind == yaml.SequenceNode:
		s.Type = Array
		if len(n.Content) != 1 {
			p.fault(n, "%s must name the type of its items, as in [string]", what)
			return s
		}
		s.Items = p.shape(n.Content[0], "the items of "+what)
	case n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "|"):
		s.Type = String
		for value := range strings.SplitSeq(n.Value, "|") {
			s.Values = append(s.Values, strings.TrimSpace(value))
		}
	case n.Kind == yaml.ScalarNode && slices.Contains(scalars, n.Value):
		s.Type = n.Value
	default:
		p.fault(n, "%s must be one of %s, {field: type}, [type], or the strings that are known, as in yes | no", what, strings.Join(scalars, ", "))
	}
	return s
}

func (p *parser) object(n *yaml.Node, what string) *Shape {
	s := &Shape{Line: n.Line, Type: Object}
	p.mapping(n, what, func(key, value *yaml.Node) {
		name := strings.TrimSuffix(strings.TrimPrefix(key.Value, "("), ")")
		optional := key.Value == "("+name+")"
		field := Field{Name: name, Optional: optional, Shape: p.shape(value, name)}
		field.Line = key.Line
		s.Fields = append(s.Fields, field)
	})
	return s
}

package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Struct gives the Go types of an event's payload: one for the event, named after its type, and one for each object in it.
func (e eventType) Struct() (string, error) {
	if e.Schema == nil || e.Schema.Schema == nil {
		return "", &toldError{fmt.Errorf("the event %s has no schema: write %s/%s.json", e.Type, spec.EventsDir, e.Type)}
	}
	w := &structs{event: e.Type}
	w.object(e.Go, e.Go+" is the payload of "+e.Type+".", e.Schema.Schema)
	return strings.Join(w.types, "\n"), nil
}

// Field gives the payload's field for a text property of one of these names, or nothing. Optional fields are pointers.
func (e eventType) Field(names ...string) string {
	return e.field(func(p spec.Property) bool {
		return slices.Contains(names, p.Name) && p.Schema.Type == "string" && p.Schema.Format == "" && len(p.Schema.Enum) == 0
	})
}

// TimeField gives the payload's field for the moment at which it happened, or nothing.
func (e eventType) TimeField() string {
	return e.field(func(p spec.Property) bool { return p.Schema.Type == "string" && p.Schema.Format == "date-time" })
}

// Optional gives the payload's optional text field of that name, or nothing.
func (e eventType) Optional(name string) string {
	for _, p := range e.properties() {
		if p.Name == name && !p.Required && p.Schema.Type == "string" && p.Schema.Format == "" {
			return goName(p.Name)
		}
	}
	return ""
}

func (e eventType) field(is func(spec.Property) bool) string {
	for _, p := range e.properties() {
		if p.Required && is(p) {
			return goName(p.Name)
		}
	}
	return ""
}

func (e eventType) properties() []spec.Property {
	if e.Schema == nil || e.Schema.Schema == nil {
		return nil
	}
	return e.Schema.Schema.Properties
}

// structs collects the type declarations of one payload, the outer ones first.
type structs struct {
	event string
	types []string
}

func (w *structs) object(name, comment string, s *spec.Schema) {
	at := len(w.types)
	w.types = append(w.types, "")
	var b strings.Builder
	fmt.Fprintf(&b, "// %s\ntype %s struct {\n", sentence(comment+" "+s.Description), name)
	for _, p := range s.Properties {
		tag, star := p.Name, ""
		if !p.Required {
			tag += ",omitempty"
			if p.Schema.Type != "array" && (p.Schema.Type != "object" || len(p.Schema.Properties) > 0) {
				star = "*"
			}
		}
		if p.Schema.Description != "" {
			fmt.Fprintf(&b, "\t// %s\n", sentence(p.Schema.Description))
		}
		fmt.Fprintf(&b, "\t%s %s%s `json:%q`\n", goName(p.Name), star, w.goType(name+goName(p.Name), p.Schema), tag)
	}
	b.WriteString("}\n")
	w.types[at] = b.String()
}

// goType is the Go type of a schema; an object with properties becomes a type of its own, of the given name.
func (w *structs) goType(name string, s *spec.Schema) string {
	switch s.Type {
	case "object":
		if len(s.Properties) == 0 {
			return "map[string]any"
		}
		w.object(name, name+" is a part of "+w.event+".", s)
		return name
	case "array":
		if s.Items == nil {
			return "[]any"
		}
		return "[]" + w.goType(name+"Item", s.Items)
	case "integer":
		return "int64"
	case "number":
		return "float64"
	case "boolean":
		return "bool"
	case "string":
		if s.Format == "date-time" {
			return "time.Time"
		}
		return "string"
	}
	return "any"
}

// sentence is a comment's text on one line, with a full stop.
func sentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text != "" && !endsIn(text, ".", "!", "?") {
		text += "."
	}
	return text
}

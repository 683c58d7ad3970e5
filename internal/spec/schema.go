package spec

import (
	"encoding/json"
	"slices"
	"strings"
)

// Schema is a JSON Schema within the subset that Go types are generated from.
type Schema struct {
	Type        string // object, array, string, integer, number or boolean
	Title       string
	Description string
	Format      string     // date-time, or another that is told to readers only
	Enum        []any      // string, json.Number or bool
	Properties  []Property // in the order of the file
	Items       *Schema    // of an array
	Position    Position
}

// Property is a named part of an object's schema.
type Property struct {
	Name     string
	Required bool
	Schema   *Schema
}

// schemaParser reads the subset of JSON Schema that Go types are generated from.
type schemaParser struct {
	places   *places
	problems Problems
}

func (p *schemaParser) add(at int, remedy, format string, args ...any) {
	p.problems.Add(p.places.at(at), remedy, format, args...)
}

var schemaTypes = []string{"object", "array", "string", "integer", "number", "boolean"}

// ignoredKeywords bear on no Go type: they describe, or bound the values of a type.
var ignoredKeywords = []string{
	"$schema", "$id", "$comment", "default", "examples", "deprecated", "additionalProperties",
	"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
	"minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems",
}

var schemaKeywords = slices.Concat([]string{"type", "title", "description", "format", "enum", "properties", "required", "items"}, ignoredKeywords)

func (p *schemaParser) schema(n *jsonNode, what string) *Schema {
	s := &Schema{Position: p.places.at(n.at)}
	members, ok := n.value.(jsonObject)
	if !ok {
		p.add(n.at, `write an object such as {"type": "string"}`, "%s must be an object", what)
		return s
	}
	for _, m := range members {
		if !slices.Contains(schemaKeywords, m.keyName) {
			remedy := "say it with " + strings.Join(schemaKeywords[:len(schemaKeywords)-len(ignoredKeywords)], ", ") + " alone"
			if near := nearest(m.keyName, schemaKeywords); near != "" {
				remedy = "did you mean " + near + "?"
			}
			p.add(m.keyAt, remedy, "the keyword %q is not supported: no Go type follows from it", clip(m.keyName))
		}
	}
	p.words(members, s)
	p.kind(n, members, s, what)
	return s
}

// words reads the keywords whose values are texts.
func (p *schemaParser) words(members jsonObject, s *Schema) {
	for key, target := range map[string]*string{"title": &s.Title, "description": &s.Description, "format": &s.Format} {
		if m := members.get(key); m != nil {
			if *target, _ = m.value.(string); *target == "" {
				p.add(m.at, "write a text", "%s must be a text", key)
			}
		}
	}
}

// kind reads the type and what goes with it.
func (p *schemaParser) kind(n *jsonNode, members jsonObject, s *Schema, what string) {
	m := members.get("type")
	if m == nil {
		p.add(n.at, `add "type": one of `+strings.Join(schemaTypes, ", "), "%s has no type", what)
		return
	}
	s.Type, _ = m.value.(string)
	if !slices.Contains(schemaTypes, s.Type) {
		p.add(m.at, "write one of "+strings.Join(schemaTypes, ", "), "the type of %s is not supported", what)
		return
	}
	p.match(members, s, what)
	switch s.Type {
	case "object":
		p.object(members, s)
	case "array":
		if items := members.get("items"); items != nil {
			s.Items = p.schema(items, "the items of "+what)
		} else {
			p.add(n.at, `add "items": {"type": …}`, "%s is an array without items", what)
		}
	}
	if m := members.get("enum"); m != nil {
		p.enum(m, s)
	}
}

// match refuses keywords that say nothing about the schema's type, such as items of a string: most likely the type is wrong.
func (p *schemaParser) match(members jsonObject, s *Schema, what string) {
	for key, types := range map[string]string{"properties": "object", "required": "object", "additionalProperties": "object", "items": "array", "format": "string"} {
		if m := members.get(key); m != nil && s.Type != types && (key != "format" || s.Type == "object" || s.Type == "array") {
			p.add(m.keyAt, "remove it, or make the type "+types, "%s is of the type %s, where %q says nothing", what, s.Type, key)
		}
	}
}

func (p *schemaParser) object(members jsonObject, s *Schema) {
	if m := members.get("additionalProperties"); m != nil {
		if _, ok := m.value.(bool); !ok {
			p.add(m.at, "write true or false, or name the properties", "additionalProperties must be true or false: maps of a schema are not supported")
		}
	}
	if m := members.get("properties"); m != nil {
		properties, ok := m.value.(jsonObject)
		if !ok {
			p.add(m.at, `write {"name": {"type": …}}`, "properties must be an object")
		}
		fields := map[string]string{}
		for _, property := range properties {
			p.name(property, fields)
			s.Properties = append(s.Properties, Property{Name: property.keyName, Schema: p.schema(property, "the property "+clip(property.keyName))})
		}
	}
	if m := members.get("required"); m != nil {
		p.required(m, s)
	}
}

var propertyName = whole(`[A-Za-z][A-Za-z0-9_-]{0,99}`)

// name checks that a Go field can be named after the property; fields holds those before it.
func (p *schemaParser) name(property *jsonNode, fields map[string]string) {
	if !propertyName.MatchString(property.keyName) {
		p.add(property.keyAt, "use letters and digits, a letter first, such as orderId", "%q cannot be the name of a property: no Go field can be named after it", clip(property.keyName))
		return
	}
	field := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(property.keyName))
	if other, taken := fields[field]; taken {
		p.add(property.keyAt, "rename one of the two", "the properties %s and %s give the same Go field", other, property.keyName)
	}
	fields[field] = property.keyName
}

func (p *schemaParser) required(m *jsonNode, s *Schema) {
	items, ok := m.value.(jsonArray)
	if !ok {
		p.add(m.at, `write ["name", …]`, "required must be a list of properties")
	}
	known := make([]string, len(s.Properties))
	for i, property := range s.Properties {
		known[i] = property.Name
	}
	for _, item := range items {
		name, _ := item.value.(string)
		i := slices.Index(known, name)
		if i < 0 {
			p.add(item.at, DidYouMean(name, "the properties are", known), "required names %q, which is no property", clip(name))
			continue
		}
		s.Properties[i].Required = true
	}
}

func (p *schemaParser) enum(m *jsonNode, s *Schema) {
	items, ok := m.value.(jsonArray)
	if !ok || len(items) == 0 {
		p.add(m.at, `write ["one", "two"]`, "enum must be a list of values")
		return
	}
	for _, item := range items {
		if !ofType(item.value, s.Type) {
			p.add(item.at, "write values of the type "+s.Type, "this value of enum is not of the type %s", s.Type)
			continue
		}
		s.Enum = append(s.Enum, item.value)
	}
}

func ofType(value any, name string) bool {
	switch v := value.(type) {
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case json.Number:
		_, err := v.Int64()
		return name == "number" || name == "integer" && err == nil
	}
	return false
}

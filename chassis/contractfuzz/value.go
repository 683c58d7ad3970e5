package contractfuzz

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// author writes JSON values that a schema allows, except for those at which it puts a flaw. It writes text and not values, since
// some flaws are none of JSON's values: a name given twice, a number that no type holds, bytes that are no text.
type author struct {
	choices
	ids   []string                   // of answers, the latest last
	count int                        // of requests; makes unique what must be
	fixed map[string]json.RawMessage // values of properties of the outermost object
	flaws []int                      // the numbers of the values that get one
	seen  int                        // values so far
	out   []byte
	depth int
}

// maxDepth bounds schemas that contain themselves.
const maxDepth = 8

// flawed counts a value and reports whether it gets a flaw.
func (a *author) flawed() bool {
	a.seen++
	return slices.Contains(a.flaws, a.seen-1)
}

func (a *author) raw(text string) { a.out = append(a.out, text...) }

func (a *author) quote(text string) {
	quoted, err := json.Marshal(text)
	if err != nil { // never, for a string
		quoted = []byte(`""`)
	}
	a.out = append(a.out, quoted...)
}

// value writes a value of the schema. The name is the property's or parameter's.
func (a *author) value(ref *openapi3.SchemaRef, name string) {
	a.depth++
	defer func() { a.depth-- }()
	schema := flat(ref)
	if a.flawed() {
		a.flaw(schema)
		return
	}
	switch {
	case len(schema.OneOf) > 0:
		a.value(schema.OneOf[a.below(len(schema.OneOf))], name)
	case len(schema.AnyOf) > 0:
		a.value(schema.AnyOf[a.below(len(schema.AnyOf))], name)
	case schema.Nullable && a.below(8) == 7:
		a.raw("null")
	case len(schema.Enum) > 0:
		a.encode(schema.Enum[a.below(len(schema.Enum))])
	case schema.Type.Is(openapi3.TypeObject), len(schema.Properties) > 0:
		a.object(schema)
	case schema.Type.Is(openapi3.TypeArray):
		a.array(schema)
	case schema.Type.Is(openapi3.TypeInteger), schema.Type.Is(openapi3.TypeNumber):
		a.number(schema)
	case schema.Type.Is(openapi3.TypeBoolean):
		a.raw(strconv.FormatBool(a.below(2) == 1))
	default:
		a.quote(a.text(schema, name))
	}
}

func (a *author) encode(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte("null")
	}
	a.out = append(a.out, text...)
}

func (a *author) object(schema *openapi3.Schema) {
	a.raw("{")
	written := 0
	comma := func() {
		if written > 0 {
			a.raw(",")
		}
		written++
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		required := slices.Contains(schema.Required, name)
		if !required && (a.depth > maxDepth || a.below(4) == 3) {
			continue
		}
		if slices.Contains(a.flaws, a.seen) && a.below(4) == 3 {
			a.seen++
			continue
		}
		comma()
		a.quote(name)
		a.raw(":")
		if value := a.fixed[name]; value != nil && a.depth == 1 {
			a.out = append(a.out, value...)
			continue
		}
		a.value(property, name)
	}
	if others := schema.AdditionalProperties.Schema; others != nil && a.depth <= maxDepth {
		comma()
		a.raw(`"other":`)
		a.value(others, "other")
	}
	a.raw("}")
}

func (a *author) array(schema *openapi3.Schema) {
	least, highest := int(schema.MinItems), 100 //nolint:gosec // contracts have small numbers
	if schema.MaxItems != nil {
		highest = min(highest, int(*schema.MaxItems)) //nolint:gosec // contracts have small numbers
	}
	n := min(max(least, 1), highest)
	switch a.below(8) {
	case 5:
		n = least
	case 6:
		n = min(n+1, highest)
	case 7:
		n = highest
	}
	a.raw("[")
	for i := range n {
		if i > 0 {
			a.raw(",")
		}
		a.value(schema.Items, "")
	}
	a.raw("]")
}

func (a *author) number(schema *openapi3.Schema) {
	low, high := bounds(schema)
	usual := max(low, min(high, 1))
	if example, ok := schema.Example.(float64); ok {
		usual = example
	}
	value := []float64{usual, usual, usual, low, high, math.Trunc(low/2 + high/2)}[a.below(6)]
	a.raw(strconv.FormatFloat(value, 'f', -1, 64))
}

// bounds are the least and the greatest number of a schema.
func bounds(schema *openapi3.Schema) (low, high float64) {
	low, high = -1e9, 1e9
	if schema.Min != nil {
		low, high = *schema.Min, max(high, *schema.Min)
	}
	if schema.Max != nil {
		high = *schema.Max
	}
	return low, high
}

// text gives a text of the schema: an example, an id that an answer had, or one of the shortest, longest and strangest.
func (a *author) text(schema *openapi3.Schema, name string) string {
	if example, ok := schema.Example.(string); ok && a.below(4) != 3 {
		return example
	}
	if schema.Pattern != "" {
		if address := a.ofFormat("email"); strings.EqualFold(name, "email") && matches(schema.Pattern, address) {
			return address
		}
		return ofPattern(schema.Pattern, &a.choices)
	}
	if text := a.ofFormat(schema.Format); text != "" {
		return text
	}
	least, highest := int(schema.MinLength), 300 //nolint:gosec // contracts have small numbers
	if schema.MaxLength != nil {
		highest = min(highest, int(*schema.MaxLength)) //nolint:gosec // contracts have small numbers
	}
	kind := a.below(8)
	if kind < 4 && len(a.ids) > 0 && isID(name) {
		return a.ids[len(a.ids)-1-kind%len(a.ids)]
	}
	switch kind {
	case 4:
		return strings.Repeat("x", least)
	case 5:
		return strings.Repeat("x", highest)
	case 6:
		return fit(strings.Repeat("é\u202e😀\u0085 ", highest), 0, highest)
	case 7:
		return fit(strings.ReplaceAll(strings.ToValidUTF8(a.choices.text(64), "?"), "\x00", "0"), least, highest) // NUL is allowed nowhere
	}
	return fit(name, max(least, 1), highest)
}

func (a *author) ofFormat(format string) string {
	switch format {
	case "date-time":
		return []string{"2026-03-01T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+14:00", "2016-12-31T23:59:59-00:00"}[a.below(4)]
	case "date":
		return []string{"2026-03-01", "0000-01-01", "9999-12-31"}[a.below(3)]
	case "uuid":
		if len(a.ids) > 0 && a.below(4) < 3 {
			return a.ids[len(a.ids)-1]
		}
		return fmt.Sprintf("6f8c2d1e-0000-4000-8000-%012x", a.below(4))
	case "email":
		return fmt.Sprintf("ada%d.%d@example.com", a.below(200), a.count)
	case "uri", "url":
		return []string{"https://example.com/a", "javascript:alert(1)", "http://[::1]:0/%zz"}[a.below(3)]
	}
	return ""
}

func matches(pattern, text string) bool {
	ok, err := regexp.MatchString(pattern, text)
	return ok && err == nil
}

// fit gives a text of so many runes: cut, or with x behind.
func fit(text string, least, highest int) string {
	runes := []rune(text)
	if len(runes) > highest {
		runes = runes[:highest]
	}
	return string(runes) + strings.Repeat("x", max(0, least-len(runes)))
}

func isID(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "id") || strings.HasSuffix(name, "ids") || strings.HasSuffix(name, "method") || strings.HasSuffix(name, "reference")
}

// flat is a schema with what allOf adds to it; any schema when there is none.
func flat(ref *openapi3.SchemaRef) *openapi3.Schema {
	if ref == nil || ref.Value == nil {
		return &openapi3.Schema{}
	}
	if len(ref.Value.AllOf) == 0 {
		return ref.Value
	}
	merged := *ref.Value
	merged.AllOf = nil
	merged.Properties = maps.Clone(merged.Properties)
	if merged.Properties == nil {
		merged.Properties = openapi3.Schemas{}
	}
	for _, part := range ref.Value.AllOf {
		from := flat(part)
		maps.Copy(merged.Properties, from.Properties)
		merged.Required = slices.Concat(merged.Required, from.Required)
		if merged.Type == nil {
			merged.Type = from.Type
		}
	}
	return &merged
}

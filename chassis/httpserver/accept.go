package httpserver

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// acceptor says yes to a decoded JSON value that a schema surely allows and that needs no default filled in. It knows the
// keywords that nearly every contract keeps to; at anything else, and at every fault, it says no, and kin-openapi decides
// and words the faults. It never allocates, where kin-openapi sorts the names of every object. FuzzAcceptor compares both.
type acceptor struct {
	kind       string
	nullable   bool
	unsure     bool // a keyword is not known here
	readOnly   bool
	hasDefault bool

	min, max float64 // of a number
	least    int     // length of a text or a list
	most     int
	texts    map[string]bool // enum; nil for any
	format   openapi3.StringFormatValidator

	items      *acceptor
	properties map[string]*acceptor
	required   []string
	others     *acceptor // additionalProperties; nil when there may be none
}

// anything accepts every value.
var anything = &acceptor{kind: "anything"}

// newAcceptor compiles a schema. seen holds those under way, since schemas may contain themselves.
func newAcceptor(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]*acceptor) *acceptor {
	if ref == nil || ref.Value == nil {
		return &acceptor{unsure: true}
	}
	if a := seen[ref.Value]; a != nil {
		return a
	}
	s := ref.Value
	a := &acceptor{nullable: s.Nullable, readOnly: s.ReadOnly, hasDefault: s.Default != nil}
	seen[s] = a
	if s.Type == nil || len(*s.Type) != 1 || !onlyKnownKeywords(*s) {
		a.unsure = true
		return a
	}
	a.kind = (*s.Type)[0]
	switch a.kind {
	case openapi3.TypeString:
		a.compileText(s)
	case openapi3.TypeInteger, openapi3.TypeNumber:
		a.compileNumber(s)
	case openapi3.TypeArray:
		a.least, a.most = bounds(s.MinItems, s.MaxItems)
		a.items = newAcceptor(s.Items, seen)
	case openapi3.TypeObject:
		a.compileObject(s, seen)
	}
	return a
}

// onlyKnownKeywords reports whether a schema has no keyword beyond those that an acceptor checks or need not check. What
// remains after these are taken away must be nothing, so that a keyword of a later version is not overlooked.
func onlyKnownKeywords(s openapi3.Schema) bool {
	s.Type, s.Format, s.Nullable, s.ReadOnly, s.WriteOnly, s.Default, s.Enum = nil, "", false, false, false, nil, nil
	s.Min, s.Max, s.MinLength, s.MaxLength, s.MinItems, s.MaxItems, s.Items = nil, nil, 0, nil, 0, nil, nil
	s.Required, s.Properties, s.AdditionalProperties = nil, nil, openapi3.AdditionalProperties{}
	s.Title, s.Description, s.Example, s.Examples, s.Comment, s.Deprecated = "", "", nil, nil, "", false
	s.ExternalDocs, s.XML, s.Extensions, s.Origin = nil, nil, nil, nil
	return reflect.DeepEqual(s, openapi3.Schema{})
}

func (a *acceptor) compileText(s *openapi3.Schema) {
	a.least, a.most = bounds(s.MinLength, s.MaxLength)
	if s.Format != "" {
		a.format = formats[s.Format]
		a.unsure = a.format == nil && openapi3.SchemaStringFormats[s.Format] != nil
	}
	for _, value := range s.Enum {
		text, ok := value.(string)
		if !ok {
			a.unsure = true
			return
		}
		if a.texts == nil {
			a.texts = map[string]bool{}
		}
		a.texts[text] = true
	}
}

func (a *acceptor) compileNumber(s *openapi3.Schema) {
	a.min, a.max = math.Inf(-1), math.Inf(1)
	if s.Min != nil {
		a.min = *s.Min
	}
	if s.Max != nil {
		a.max = *s.Max
	}
	switch s.Format {
	case "", "int64", "float", "double":
	case "int32":
		a.min, a.max = max(a.min, math.MinInt32), min(a.max, math.MaxInt32)
	default:
		a.unsure = true
	}
	a.unsure = a.unsure || len(s.Enum) > 0
}

func (a *acceptor) compileObject(s *openapi3.Schema, seen map[*openapi3.Schema]*acceptor) {
	a.required = s.Required
	a.unsure = len(s.Enum) > 0
	a.properties = make(map[string]*acceptor, len(s.Properties))
	for name, property := range s.Properties {
		a.properties[name] = newAcceptor(property, seen)
	}
	switch additional := s.AdditionalProperties; {
	case additional.Schema != nil:
		a.others = newAcceptor(additional.Schema, seen)
	case additional.Has == nil || *additional.Has:
		a.others = anything
	}
}

func bounds(least uint64, most *uint64) (low, high int) {
	low, high = int(min(least, math.MaxInt32)), math.MaxInt
	if most != nil {
		high = int(min(*most, math.MaxInt32))
	}
	return low, high
}

func (a *acceptor) accepts(value any) bool {
	if a.unsure {
		return false
	}
	switch v := value.(type) {
	case nil:
		return a.nullable || a == anything
	case string:
		return a == anything || (a.kind == openapi3.TypeString && a.acceptsText(v))
	case bool:
		return a == anything || a.kind == openapi3.TypeBoolean
	case json.Number:
		return a == anything || a.acceptsNumber(v.String())
	case []any:
		return a == anything || (a.kind == openapi3.TypeArray && a.acceptsList(v))
	case map[string]any:
		return a == anything || (a.kind == openapi3.TypeObject && a.acceptsObject(v))
	}
	return false
}

// acceptsText bounds the length without counting: a text has at most one character a byte, and at least one for four.
func (a *acceptor) acceptsText(text string) bool {
	if len(text) > a.most || (a.least == 1 && text == "") || (a.least > 1 && len(text) < 4*a.least) {
		return false
	}
	if a.texts != nil && !a.texts[text] {
		return false
	}
	return a.format == nil || a.format.Validate(text) == nil
}

// acceptsSegment says yes to a segment of a path. An empty one is left to kin-openapi, for which it is an absent value.
func (a *acceptor) acceptsSegment(text string) bool {
	return text != "" && !a.unsure && a.acceptsText(text)
}

// maxPlainDigits is how many digits surely fit into an int64.
const maxPlainDigits = 18

func (a *acceptor) acceptsNumber(text string) bool {
	var number float64
	switch a.kind {
	case openapi3.TypeInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || len(text) > maxPlainDigits {
			return false
		}
		number = float64(n)
	case openapi3.TypeNumber:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return false
		}
		number = f
	default:
		return false
	}
	return a.min <= number && number <= a.max
}

func (a *acceptor) acceptsList(list []any) bool {
	if len(list) < a.least || len(list) > a.most {
		return false
	}
	for _, item := range list {
		if !a.items.accepts(item) {
			return false
		}
	}
	return true
}

func (a *acceptor) acceptsObject(object map[string]any) bool {
	for _, name := range a.required {
		if _, ok := object[name]; !ok {
			return false
		}
	}
	for name, property := range a.properties {
		if property.hasDefault && object[name] == nil {
			return false // it is to be filled in
		}
	}
	for name, value := range object {
		property := a.properties[name]
		if property == nil {
			property = a.others
		}
		if property == nil || property.readOnly || !property.accepts(value) {
			return false
		}
	}
	return true
}

package expect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Breach is an expectation that a contract does not meet: what the provider does, and what the consumer does that does not fit it.
type Breach struct {
	// Line of the expectation in the consumer's file.
	Line int
	// Provider begins with a verb, as in "answers 200 without price", Consumer likewise, as in "reads it".
	Provider, Consumer string
}

// Check holds the exchange against the operation of the provider's contract; item is the path that the operation is of.
func (e Exchange) Check(item *openapi3.PathItem, op *openapi3.Operation) []Breach {
	c := &checker{line: e.Line}
	c.parameters(e, item, op)
	c.body(e.Body, op.RequestBody)
	c.answer(e, op)
	return c.breaches
}

// Check holds the event against the schema of its data.
func (e Event) Check(schema *openapi3.Schema) []Breach {
	c := &checker{line: e.Line}
	c.shape("is told", "", e.Reads, schema)
	return c.breaches
}

type checker struct {
	line     int
	breaches []Breach
}

func (c *checker) add(line int, consumer, format string, args ...any) {
	c.breaches = append(c.breaches, Breach{Line: line, Provider: fmt.Sprintf(format, args...), Consumer: consumer})
}

// parameters checks that what must be sent is, and that what is sent is taken.
func (c *checker) parameters(e Exchange, item *openapi3.PathItem, op *openapi3.Operation) {
	sent := map[string]map[string]string{
		openapi3.ParameterInPath: maps.Clone(e.Path), openapi3.ParameterInQuery: maps.Clone(e.Query), openapi3.ParameterInHeader: canonical(e.Header),
	}
	declared := slices.Clone(op.Parameters)
	for _, shared := range item.Parameters {
		if op.Parameters.GetByInAndName(shared.Value.In, shared.Value.Name) == nil {
			declared = append(declared, shared)
		}
	}
	for _, ref := range declared {
		p := ref.Value
		name := p.Name
		if p.In == openapi3.ParameterInHeader {
			name = strings.ToLower(name)
		}
		value, given := sent[p.In][name]
		delete(sent[p.In], name)
		switch {
		case !given && p.Required:
			c.add(c.line, "does not send it", "needs the %s parameter %s", p.In, p.Name)
		case given && p.Schema != nil:
			if err := p.Schema.Value.VisitJSON(argument(value, p.Schema.Value)); err != nil {
				c.add(c.line, "sends "+strconv.Quote(value), "refuses that as the %s parameter %s (%s)", p.In, p.Name, reason(err))
			}
		}
	}
	for _, in := range slices.Sorted(maps.Keys(sent)) {
		for _, name := range slices.Sorted(maps.Keys(sent[in])) {
			c.add(c.line, "sends it", "takes no %s parameter %s", in, name)
		}
	}
}

func canonical(headers map[string]string) map[string]string {
	lower := map[string]string{}
	for name, value := range headers {
		lower[strings.ToLower(name)] = value
	}
	return lower
}

// argument is the value of a parameter's text.
func argument(text string, s *openapi3.Schema) any {
	var value any
	switch {
	case s.Type.Is("array") && s.Items != nil:
		items := []any{}
		for item := range strings.SplitSeq(text, ",") {
			items = append(items, argument(item, s.Items.Value))
		}
		return items
	case s.Type.Is("string"):
		return text
	case json.Unmarshal([]byte(text), &value) == nil:
		return value
	}
	return text
}

func (c *checker) body(body any, ref *openapi3.RequestBodyRef) {
	switch {
	case ref == nil || ref.Value == nil:
		if body != nil {
			c.add(c.line, "sends one", "takes no body")
		}
		return
	case body == nil:
		if ref.Value.Required {
			c.add(c.line, "sends none", "needs a body")
		}
		return
	}
	schema := jsonSchema(ref.Value.Content)
	if schema == nil {
		c.add(c.line, "sends it", "takes no JSON")
		return
	}
	if err := schema.VisitJSON(body, openapi3.VisitAsRequest()); err != nil {
		c.add(c.line, "sends it", "refuses a body: %s", reason(err))
		return
	}
	c.taken("", body, schema)
}

// taken checks that no field is sent that the provider does not look at.
func (c *checker) taken(at string, value any, s *openapi3.Schema) {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			found, _ := property(s, name)
			if len(found) == 0 && s.AdditionalProperties.Schema == nil {
				c.add(c.line, "sends it", "takes no %s in a body", join(at, name))
			}
			for _, schema := range found {
				c.taken(join(at, name), value[name], schema)
			}
		}
	case []any:
		for _, item := range value {
			if s.Items != nil {
				c.taken(at+"[]", item, s.Items.Value)
			}
		}
	}
}

func (c *checker) answer(e Exchange, op *openapi3.Operation) {
	ref := op.Responses.Status(e.Status)
	if ref == nil {
		ref = op.Responses.Default()
	}
	if ref == nil || ref.Value == nil {
		c.add(c.line, "awaits it", "does not answer %d", e.Status)
		return
	}
	if e.Reads == nil {
		return
	}
	schema := jsonSchema(ref.Value.Content)
	if schema == nil {
		c.add(e.Reads.Line, "reads it", "answers %d without JSON", e.Status)
		return
	}
	c.shape(fmt.Sprintf("answers %d", e.Status), "", e.Reads, schema)
}

// jsonSchema is that of the first content that is JSON, or a kind of it.
func jsonSchema(content openapi3.Content) *openapi3.Schema {
	for _, name := range slices.Sorted(maps.Keys(content)) {
		media, _, _ := strings.Cut(name, ";")
		if (media == "application/json" || strings.HasSuffix(media, "+json")) && content[name].Schema != nil {
			return content[name].Schema.Value
		}
	}
	return nil
}

// shape checks that whatever the schema allows can be read as the shape.
func (c *checker) shape(does, at string, shape *Shape, schema *openapi3.Schema) {
	if !c.kind(does, at, shape, schema) {
		return
	}
	switch {
	case len(shape.Values) > 0:
		c.values(does, at, shape, schema)
	case shape.Type == Array:
		if items := arrayItems(schema); items != nil {
			c.shape(does, at+"[]", shape.Items, items)
		}
	case shape.Type == Object:
		for _, field := range shape.Fields {
			name := join(at, field.Name)
			found, required := property(schema, field.Name)
			if len(found) == 0 {
				c.add(field.Line, "reads it", "%s without %s", does, name)
				continue
			}
			for _, s := range found {
				if (!required || s.Nullable) && !field.Optional {
					c.add(field.Line, "needs it", "%s with %s that may be missing", does, name)
					break
				}
			}
			for _, s := range found {
				c.shape(does, name, field.Shape, s)
			}
		}
	}
}

// kind checks the type.
func (c *checker) kind(does, at string, shape *Shape, schema *openapi3.Schema) bool {
	declared := typeOf(schema)
	fits := declared == shape.Type
	switch shape.Type {
	case Number:
		fits = declared == Number || declared == Integer
	case Time:
		fits = declared == String && schema.Format == "date-time"
	}
	if !fits {
		if at == "" {
			at = "a body"
		}
		if declared == "" {
			declared = "no certain type"
		}
		wants := "reads " + article(shape.Type)
		c.add(shape.Line, wants, "%s with %s of the type %s", does, at, declared)
	}
	return fits
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// typeOf is the schema's own type, or that of what it is made of.
func typeOf(s *openapi3.Schema) string {
	if types := s.Type.Slice(); len(types) == 1 {
		return types[0]
	}
	for _, parts := range []openapi3.SchemaRefs{s.AllOf, s.OneOf, s.AnyOf} {
		for _, part := range parts {
			if found := typeOf(part.Value); found != "" {
				return found
			}
		}
	}
	return ""
}

func arrayItems(s *openapi3.Schema) *openapi3.Schema {
	if s.Items != nil {
		return s.Items.Value
	}
	for _, part := range s.AllOf {
		if found := arrayItems(part.Value); found != nil {
			return found
		}
	}
	return nil
}

// values checks that the provider has no value that the consumer does not know.
func (c *checker) values(does, at string, shape *Shape, schema *openapi3.Schema) {
	knows := "knows only " + strings.Join(shape.Values, ", ")
	if len(schema.Enum) == 0 {
		c.add(shape.Line, knows, "%s with any text as %s", does, at)
	}
	for _, value := range schema.Enum {
		if text := fmt.Sprint(value); !slices.Contains(shape.Values, text) {
			c.add(shape.Line, knows, "%s with %s as %s", does, text, at)
		}
	}
}

// property gives what a schema says of a property, all of which holds, and whether it is always there. With alternatives, a property that
// one of them does not have is none.
func property(s *openapi3.Schema, name string) (found []*openapi3.Schema, required bool) {
	if own := s.Properties[name]; own != nil {
		found = append(found, own.Value)
	}
	required = slices.Contains(s.Required, name)
	for _, part := range s.AllOf {
		inner, always := property(part.Value, name)
		found, required = append(found, inner...), required || always
	}
	for _, alternatives := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf} {
		var all []*openapi3.Schema
		everywhere, always := true, true
		for _, alternative := range alternatives {
			inner, there := property(alternative.Value, name)
			all = append(all, inner...)
			everywhere, always = everywhere && len(inner) > 0, always && there
		}
		if len(alternatives) > 0 && everywhere {
			found, required = append(found, all...), required || always
		}
	}
	return found, required
}

// reason is the first fault of a value, in a line.
func reason(err error) string {
	var fault *openapi3.SchemaError
	if !errors.As(err, &fault) {
		text, _, _ := strings.Cut(err.Error(), "\n")
		return text
	}
	if at := strings.Join(fault.JSONPointer(), "/"); at != "" {
		return "at /" + at + ": " + fault.Reason
	}
	return fault.Reason
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

package render

import (
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// shape is what of the seeded contract is still there. A person may change the contract in any way; an operation that no
// longer looks as seeded gets a handler for the person to write.
type shape struct {
	// Schema is the Go type of the resource in the contract, empty when there is none, and Fields those of its fields that
	// the store has too.
	Schema string
	Fields []string
	// Degraded holds when an answer can say that it is degraded.
	Degraded bool
	// Create, Get and List hold for the operations that look as seeded.
	Create, Get, List bool
	// Param is the Go name of Get's path parameter.
	Param string
	// References are the properties of the resource that name something of another service.
	References []reference
	// Checks are the calls that Create makes.
	Checks []check
}

// Seeded reports whether any operation looks as seeded.
func (s *shape) Seeded() bool { return s.Create || s.Get || s.List }

// Degrades reports whether a check may be left out, which degrades the answer.
func (s *shape) Degrades() bool {
	return slices.ContainsFunc(s.Checks, func(c check) bool { return c.Callee.Degrade() })
}

// Shape compares the contract with the seeded one.
func (d *service) Shape() (*shape, error) { return d.shaped() }

func (d *service) findShape() (*shape, error) {
	doc, err := d.Contract.Doc()
	if err != nil {
		return nil, &toldError{err}
	}
	s := &shape{}
	var schema *openapi3.SchemaRef
	for _, kind := range []string{"create", "get", "list"} {
		op := d.Operation(kind)
		if item := doc.Paths.Value(op.Path); item != nil {
			found := s.match(kind, op.Path, item, item.GetOperation(op.Method))
			if schema == nil {
				schema = found
			}
		}
	}
	if schema == nil {
		schema = d.resourceComponent(doc)
	}
	if schema == nil {
		return s, nil
	}
	s.describe(schema)
	return s, d.findChecks(s, doc, schema)
}

// match notes the operation in s if it looks as seeded and is about the same schema as those before it, which it gives.
func (s *shape) match(kind, path string, item *openapi3.PathItem, op *openapi3.Operation) *openapi3.SchemaRef {
	var ref *openapi3.SchemaRef
	params := parameters(item, op)
	switch kind {
	case "create":
		if len(params) == 0 && hasProperty(requestSchema(op), "name", "string", "", true) {
			ref = answerSchema(op, "201")
		}
	case "get":
		if len(params) == 1 && params[0].In == "path" && plainString(params[0].Schema) && strings.HasSuffix(path, "/{"+params[0].Name+"}") {
			ref = answerSchema(op, "200")
		}
	case "list":
		if pages(params) {
			ref = pageItems(answerSchema(op, "200"))
		}
	}
	name := componentName(ref)
	if name == "" || !resourceSchema(ref.Value) || (s.Schema != "" && s.Schema != name) {
		return nil
	}
	s.Schema = name
	switch kind {
	case "create":
		s.Create = true
	case "get":
		s.Get, s.Param = true, goName(params[0].Name)
	case "list":
		s.List = true
	}
	return ref
}

// resourceComponent is the schema that has the resource's name, for a contract whose operations are all others by now.
func (d *service) resourceComponent(doc *openapi3.T) *openapi3.SchemaRef {
	if doc.Components == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		schema := doc.Components.Schemas[name]
		if goName(name) == d.Resource.Go && schema.Ref == "" && schema.Value.Type.Is("object") && !goExtended(schema.Value) {
			return &openapi3.SchemaRef{Ref: schemaPrefix + name, Value: schema.Value}
		}
	}
	return nil
}

// describe notes what the schema has in common with the store.
func (s *shape) describe(schema *openapi3.SchemaRef) {
	s.Schema = componentName(schema)
	for _, p := range seededProperties {
		if hasProperty(schema, p.name, "string", p.format, true) {
			s.Fields = append(s.Fields, goName(p.name))
		}
	}
	s.Degraded = hasProperty(schema, "degraded", "boolean", "", false)
}

package render

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// shape is what of the seeded contract is still there. A person may change the contract in any way; an operation that no
// longer looks as seeded gets a handler for the person to write.
type shape struct {
	// Schema is the Go type of the resource in the contract; empty when no operation looks as seeded.
	Schema string
	// Create, Get and List hold for the operations that look as seeded.
	Create, Get, List bool
	// Param is the Go name of Get's path parameter.
	Param string
	// Degraded holds when an answer can say that it is degraded.
	Degraded bool
	// Checks are the calls that Create makes.
	Checks []check
	// References are the resource's properties that Checks are about.
	References []reference
}

// Degrades reports whether a check may be left out, which degrades the answer.
func (s *shape) Degrades() bool {
	return slices.ContainsFunc(s.Checks, func(c check) bool { return c.Callee.Degrade() })
}

// check is a call that shows whether what a request refers to exists.
type check struct {
	Callee    callee
	Operation *spec.Operation
	// Go is the client's method without WithResponse, Name what its answer is about: product.
	Go, Name   string
	References []reference
	// HasParams holds when the client's method takes optional parameters.
	HasParams bool
}

// reference is a property that names something of another service.
type reference struct {
	Property string // productId
	Go       string // ProductID
	Var      string // productID
	Column   string // product_id
}

// Shape compares the contract with the seeded one.
func (d *service) Shape() (*shape, error) { return d.shaped() }

func onceValues[T any](f func() (T, error)) func() (T, error) { return sync.OnceValues(f) }

func (d *service) findShape() (*shape, error) {
	doc, err := d.Contract.Doc()
	if err != nil {
		return nil, &toldError{err}
	}
	s := &shape{}
	for _, kind := range []string{"create", "get", "list"} {
		op := d.Operation(kind)
		if item := doc.Paths.Value(op.Path); item != nil {
			s.match(kind, op.Path, item, item.GetOperation(op.Method))
		}
	}
	if s.Schema == "" {
		return s, nil
	}
	return s, d.findReferences(s, doc)
}

// match notes the operation in s if it looks as seeded and is about the same schema as those before it.
func (s *shape) match(kind, path string, item *openapi3.PathItem, op *openapi3.Operation) {
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
		return
	}
	s.Schema = name
	s.Degraded = hasProperty(ref, "degraded", "boolean", "", false)
	switch kind {
	case "create":
		s.Create = true
	case "get":
		s.Get, s.Param = true, goName(params[0].Name)
	case "list":
		s.List = true
	}
}

// findReferences keeps the checks whose references are properties of both the create request and the resource.
func (d *service) findReferences(s *shape, doc *openapi3.T) error {
	if !s.Create {
		return nil
	}
	create := d.Operation("create")
	op := doc.Paths.Value(create.Path).GetOperation(create.Method)
	request, answer := requestSchema(op), answerSchema(op, "201")
	checks, err := d.possibleChecks()
	if err != nil {
		return err
	}
	for _, c := range checks {
		declared := !slices.ContainsFunc(c.References, func(r reference) bool {
			return !hasProperty(request, r.Property, "string", "", false) || !hasProperty(answer, r.Property, "string", "", false)
		})
		if declared {
			s.Checks = append(s.Checks, c)
		}
	}
	s.References = references(s.Checks)
	return nil
}

// checkedCallee is a callee with the checks that go to it.
type checkedCallee struct {
	Callee callee
	Checks []check
}

// Checked gives the checks by callee.
func (s *shape) Checked() []checkedCallee {
	var all []checkedCallee
	for _, c := range s.Checks {
		i := slices.IndexFunc(all, func(o checkedCallee) bool { return o.Callee.Name == c.Callee.Name })
		if i < 0 {
			i, all = len(all), append(all, checkedCallee{Callee: c.Callee})
		}
		all[i].Checks = append(all[i].Checks, c)
	}
	return all
}

// PossibleReferences are the references that a new contract has.
func (d *service) PossibleReferences() ([]reference, error) {
	checks, err := d.possibleChecks()
	return references(checks), err
}

// PossiblyDegrades reports whether a new contract's answers can be degraded.
func (d *service) PossiblyDegrades() (bool, error) {
	checks, err := d.possibleChecks()
	return (&shape{Checks: checks}).Degrades(), err
}

// references are those of all checks, each once.
func references(checks []check) []reference {
	byName := map[string]reference{}
	for _, c := range checks {
		for _, r := range c.References {
			byName[r.Property] = r
		}
	}
	var all []reference
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name])
	}
	return all
}

// possibleChecks are the declared operations that can be called with nothing but names: those that get something by string
// path parameters.
func (d *service) possibleChecks() ([]check, error) {
	var checks []check
	for _, c := range d.Callees {
		for _, op := range c.Operations {
			doc, err := c.service.Contract.Doc()
			if err != nil {
				return nil, &toldError{err}
			}
			if possible, ok := newCheck(c, op, doc.Paths.Value(op.Path)); ok {
				checks = append(checks, possible)
			}
		}
	}
	seen := map[string]int{}
	for _, c := range checks {
		seen[c.Name]++
	}
	for i, c := range checks {
		if seen[c.Name] > 1 {
			checks[i].Name = lowerCamel(c.Callee.Name + "-" + c.Operation.ID)
		}
	}
	return checks, nil
}

func newCheck(c callee, op *spec.Operation, item *openapi3.PathItem) (check, bool) {
	if op.Method != "GET" || item == nil || item.Get == nil {
		return check{}, false
	}
	found := check{Callee: c, Operation: op, Go: goName(op.ID), Name: checkName(op.ID)}
	params := map[string]*openapi3.Parameter{}
	for _, p := range parameters(item, item.Get) {
		if p.In != "path" {
			found.HasParams = true
			if p.Required {
				return check{}, false
			}
			continue
		}
		if !plainString(p.Schema) {
			return check{}, false
		}
		params[p.Name] = p
	}
	for _, match := range pathParameter.FindAllStringSubmatch(op.Path, -1) {
		name := match[2]
		if params[name] == nil {
			return check{}, false
		}
		if name == "id" {
			name = singular(cmp.Or(match[1], c.Name)) + "-id"
		}
		r := reference{Property: lowerCamel(name), Go: goName(name), Column: snake(name)}
		if slices.Contains([]string{"id", "name", "createdAt", "degraded"}, r.Property) {
			return check{}, false
		}
		r.Var = variable(strings.TrimSuffix(r.Property, "Id")) + "ID"
		if !strings.HasSuffix(r.Property, "Id") {
			r.Var = variable(r.Property)
		}
		found.References = append(found.References, r)
	}
	return found, len(found.References) > 0
}

// pathParameter finds a parameter in a path, and the segment before it.
var pathParameter = regexp.MustCompile(`(?:([^/{}]+)/)?\{([^{}]+)\}`)

// checkName is what an operation that gets something is about: getProduct is about a product.
func checkName(operationID string) string {
	parts := words(operationID)
	if len(parts) > 1 && slices.Contains([]string{"get", "find", "read", "fetch", "show", "lookup"}, parts[0]) {
		parts = parts[1:]
	}
	return lowerCamel(strings.Join(parts, "-"))
}

func parameters(item *openapi3.PathItem, op *openapi3.Operation) []*openapi3.Parameter {
	var own, shared []*openapi3.Parameter
	for _, p := range op.Parameters {
		own = append(own, p.Value)
	}
	for _, p := range item.Parameters {
		overridden := slices.ContainsFunc(own, func(o *openapi3.Parameter) bool {
			return o.Name == p.Value.Name && o.In == p.Value.In
		})
		if !overridden {
			shared = append(shared, p.Value)
		}
	}
	return append(shared, own...)
}

// pages holds for the parameters of the seeded list: an optional cursor and an optional limit.
func pages(params []*openapi3.Parameter) bool {
	found := 0
	for _, p := range params {
		switch {
		case p.In != "query" || p.Required:
			return false
		case p.Name == "after" && plainString(p.Schema), p.Name == "limit" && plain(p.Schema, "integer", ""):
			found++
		}
	}
	return found == 2
}

func requestSchema(op *openapi3.Operation) *openapi3.SchemaRef {
	if op.RequestBody == nil || op.RequestBody.Value == nil || !op.RequestBody.Value.Required || len(op.RequestBody.Value.Content) != 1 {
		return nil
	}
	media := op.RequestBody.Value.Content["application/json"]
	if media == nil {
		return nil
	}
	return media.Schema
}

// answerSchema is the schema of a JSON answer that is written at the operation itself.
func answerSchema(op *openapi3.Operation, status string) *openapi3.SchemaRef {
	answer := op.Responses.Value(status)
	if answer == nil || answer.Ref != "" || len(answer.Value.Content) != 1 || len(answer.Value.Headers) > 0 {
		return nil
	}
	media := answer.Value.Content["application/json"]
	if media == nil {
		return nil
	}
	return media.Schema
}

// pageItems is the schema of a page's items: an object with the items and an optional cursor for the next page.
func pageItems(page *openapi3.SchemaRef) *openapi3.SchemaRef {
	if !hasProperty(page, "next", "string", "", false) {
		return nil
	}
	items := page.Value.Properties["items"]
	if items == nil || items.Ref != "" || !items.Value.Type.Is("array") || !slices.Contains(page.Value.Required, "items") {
		return nil
	}
	return items.Value.Items
}

// resourceSchema holds for a schema with at least the seeded properties.
func resourceSchema(schema *openapi3.Schema) bool {
	ref := &openapi3.SchemaRef{Value: schema}
	return hasProperty(ref, "id", "string", "", true) && hasProperty(ref, "name", "string", "", true) &&
		hasProperty(ref, "createdAt", "string", "date-time", true)
}

func hasProperty(object *openapi3.SchemaRef, name, typ, format string, required bool) bool {
	if object == nil || object.Value == nil || len(object.Value.AllOf)+len(object.Value.OneOf)+len(object.Value.AnyOf) > 0 {
		return false
	}
	return plain(object.Value.Properties[name], typ, format) && slices.Contains(object.Value.Required, name) == required
}

func plainString(s *openapi3.SchemaRef) bool { return plain(s, "string", "") }

// plain holds for a schema that becomes a Go type without a name of its own, such as string, int or time.Time.
func plain(s *openapi3.SchemaRef, typ, format string) bool {
	return s != nil && s.Ref == "" && s.Value != nil && s.Value.Type.Is(typ) && s.Value.Format == format &&
		len(s.Value.Enum) == 0 && !s.Value.Nullable && !goExtended(s.Value)
}

// goExtended holds for schemas that say themselves what they are in Go.
func goExtended(s *openapi3.Schema) bool {
	for key := range s.Extensions {
		if strings.HasPrefix(key, "x-go-") || key == "x-omitzero" {
			return true
		}
	}
	return false
}

// componentName is the Go name of a schema of the contract's components.
func componentName(s *openapi3.SchemaRef) string {
	if s == nil || s.Value == nil {
		return ""
	}
	name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/")
	if !ok || goExtended(s.Value) {
		return ""
	}
	return goName(name)
}

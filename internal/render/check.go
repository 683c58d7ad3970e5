package render

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/trellis-mesh/trellis/internal/spec"
)

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

// findChecks notes the references that are properties of the resource, and the checks whose references a create request has.
func (d *service) findChecks(s *shape, doc *openapi3.T, schema *openapi3.SchemaRef) error {
	possible, err := d.possibleChecks()
	if err != nil {
		return err
	}
	for _, r := range references(possible) {
		if hasProperty(schema, r.Property, "string", "", false) {
			s.References = append(s.References, r)
		}
	}
	if !s.Create {
		return nil
	}
	create := d.Operation("create")
	request := requestSchema(doc.Paths.Value(create.Path).GetOperation(create.Method))
	for _, c := range possible {
		missing := slices.ContainsFunc(c.References, func(r reference) bool {
			return !slices.Contains(s.References, r) || !hasProperty(request, r.Property, "string", "", false)
		})
		if !missing {
			s.Checks = append(s.Checks, c)
		}
	}
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

package render

import (
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// schemaPrefix begins a reference to a schema of the contract's components.
const schemaPrefix = "#/components/schemas/"

// seededProperties are what a resource has in the seeded contract.
var seededProperties = []struct{ name, format string }{{"id", ""}, {"name", ""}, {"createdAt", "date-time"}}

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
	for _, p := range seededProperties {
		if !hasProperty(&openapi3.SchemaRef{Value: schema}, p.name, "string", p.format, true) {
			return false
		}
	}
	return true
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
		len(s.Value.Enum) == 0 && !s.Value.Nullable && !s.Value.ReadOnly && !s.Value.WriteOnly && !goExtended(s.Value)
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
	name, ok := strings.CutPrefix(s.Ref, schemaPrefix)
	if !ok || goExtended(s.Value) {
		return ""
	}
	return goName(name)
}

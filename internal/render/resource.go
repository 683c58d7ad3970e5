package render

import (
	"fmt"
	"slices"
	"strings"
)

// resource is the noun of the seeded contract in all its forms.
type resource struct {
	Name string // order-line
	Go   string // OrderLine, the type in the store
	// Operation is the noun of its operations: OrderLine, even where Go is another.
	Operation string
	Var       string // orderLine
	Text      string // order line
	JSON      string // orderLine
	Snake     string // order_line
	File      string // order_line
	Plural    struct {
		Name, Go, Var, Text, Snake string
	}
}

func newResource(service, name string) (resource, error) {
	if name == "" {
		name = DefaultResource(service)
	}
	if !resourceName(name) {
		return resource{}, fmt.Errorf("resource %q: use lower-case letters, digits and hyphens, beginning with a letter", name)
	}
	res := resource{Name: name, Go: goName(name), Operation: goName(name), Var: variable(name), Text: phrase(name), JSON: lowerCamel(name), Snake: snake(name), File: goFile(name, "handler", "clients")}
	if slices.Contains(reservedTypes, res.Go) {
		res.Go += "Record"
	}
	collection := plural(name)
	res.Plural.Name, res.Plural.Go, res.Plural.Text, res.Plural.Snake =
		collection, goName(collection), phrase(collection), snake(collection)
	if res.Plural.Var = variable(collection); res.Plural.Var == "item" {
		res.Plural.Var = "items"
	}
	return res, nil
}

// reservedTypes are the Go names that generated packages have already: a store's, and a contract's client and server; and
// the words that YAML takes for something else than text.
var reservedTypes = strings.Fields(`
	Cached Client ClientInterface ClientOption ClientWithResponses ClientWithResponsesInterface Contract ErrNotFound
	FieldError GinServerOptions MiddlewareFunc New NewCached NewClient NewClientWithResponses NewStrictHandler
	NewStrictHandlerWithOptions Problem ProblemApplicationProblemPlusJSONResponse Register RegisterHandlers
	RegisterHandlersWithOptions RequestEditorFn ServerInterface ServerInterfaceWrapper Store StrictGinServerOptions
	StrictHandler StrictHandlerFunc StrictHandlerWithOptions StrictMiddlewareFunc StrictServerInterface WithBaseURL
	WithHTTPClient WithRequestEditorFn
	False N No Null Off On True Y Yes`)

func resourceName(name string) bool {
	for i, c := range name {
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '-' && name[i-1] != '-' && i < len(name)-1):
		default:
			return false
		}
	}
	return name != ""
}

package spec

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// Contract is a service's OpenAPI document.
//
// Load walks its YAML once for what the call graph needs: the operations, and the rules that the platform adds to OpenAPI.
// The full parse and validation by kin-openapi costs five times that walk (1.2 ms against 0.25 ms for a contract of three
// operations), so Doc does it only for the contracts that somebody renders or checks, once each.
type Contract struct {
	// Path is relative to the platform's root.
	Path string
	Raw  []byte
	// Operations by operationId.
	Operations map[string]*Operation

	once sync.Once
	doc  *openapi3.T
	err  error
}

// Operation is one operation of a contract.
type Operation struct {
	ID     string
	Method string // upper case
	Path   string // as in the contract: /v1/products/{id}
	// Security are the ways to show that a request may be made, of which one is enough, each as the scopes that it needs
	// all of. There is none when anybody may make it.
	Security [][]string
	// Timeout is the operation's extension x-timeout: how long a request from outside may take, instead of http.timeout; 0 where it
	// has none.
	Timeout time.Duration
	// Position of the operationId.
	Position Position

	contract *Contract
}

// Idempotent reports whether repeating the operation is safe by its method (RFC 9110, section 9.2.2).
func (o *Operation) Idempotent() bool {
	switch o.Method {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS":
		return true
	}
	return false
}

// Safe reports whether the operation only reads, by its method (RFC 9110, section 9.2.1).
func (o *Operation) Safe() bool {
	switch o.Method {
	case "GET", "HEAD", "OPTIONS":
		return true
	}
	return false
}

// Secured reports whether any operation asks for a token.
func (c *Contract) Secured() bool {
	for _, o := range c.Operations {
		if len(o.Security) > 0 {
			return true
		}
	}
	return false
}

// Doc parses and validates the document, the first time it is called. The error is of type Problems.
// It may be called by several goroutines at once; the document must not be changed.
func (c *Contract) Doc() (*openapi3.T, error) {
	c.once.Do(func() { c.doc, c.err = c.parse() })
	return c.doc, c.err
}

// Spec gives the operation as OpenAPI describes it, with references resolved. The error is that of Contract.Doc.
func (o *Operation) Spec() (*openapi3.Operation, error) {
	doc, err := o.contract.Doc()
	if err != nil {
		return nil, err
	}
	if item := doc.Paths.Value(o.Path); item != nil {
		if op := item.GetOperation(o.Method); op != nil {
			return op, nil
		}
	}
	return nil, fmt.Errorf("%s: %s %s is not in the document", o.contract.Path, o.Method, o.Path)
}

// parse is the full parse. Positions cost as much again, so only a faulty document is read with them.
func (c *Contract) parse() (*openapi3.T, error) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(c.Raw)
	if err != nil {
		return nil, Problems{c.problem(err)}
	}
	if doc.Validate(loader.Context) == nil {
		return doc, nil
	}
	loader = openapi3.NewLoader()
	loader.IncludeOrigin = true
	if doc, err = loader.LoadFromData(c.Raw); err != nil {
		return nil, Problems{c.problem(err)}
	}
	err = doc.Validate(loader.Context, openapi3.EnableMultiError())
	var several openapi3.MultiError
	if !errors.As(err, &several) {
		several = openapi3.MultiError{err}
	}
	var problems Problems
	told := map[Position]bool{}
	for _, err := range several { // a fault in a component is told again by everything that refers to it
		if problem := c.problem(err); !told[problem.Position] {
			told[problem.Position] = true
			problems = append(problems, problem)
		}
	}
	return nil, problems.Err()
}

// problem finds the place of what kin-openapi says: its errors keep it in a field named Origin, the innermost the nearest.
func (c *Contract) problem(err error) Problem {
	at := Position{c.Path, 1, 1}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if place := originOf(inner); place.Line > 0 {
			at.Line, at.Column = place.Line, max(place.Column, 1)
		}
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	return Problem{at, "the contract is not valid OpenAPI 3.0: " + message, "see https://spec.openapis.org/oas/v3.0.3"}
}

func originOf(err error) openapi3.Location {
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct {
		if field := v.FieldByName("Origin"); field.IsValid() {
			if origin, ok := field.Interface().(*openapi3.Origin); ok && origin != nil && origin.Key != nil {
				return *origin.Key
			}
		}
	}
	return openapi3.Location{}
}

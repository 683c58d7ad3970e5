package spec

import (
	"errors"
	"io/fs"

	"github.com/getkin/kin-openapi/openapi3"
)

var errSoon = errors.New("not written yet")

// Load reads the platform whose root is fsys: platform.yaml, go.mod, services/*/service.yaml, their contracts and
// contracts/events/*.json. The error is of type Problems; the model holds what could be read and is then incomplete.
func Load(fsys fs.FS) (*Model, error) { return nil, errSoon }

// ParseService reads the text of one service.yaml, named file in its problems, and fills in the defaults. The error is of
// type Problems.
func ParseService(file string, raw []byte) (*Service, error) { return nil, errSoon }

// ParsePlatform reads the text of platform.yaml, as ParseService does.
func ParsePlatform(file string, raw []byte) (*Platform, error) { return nil, errSoon }

// Options are what a new service is declared with.
type Options struct {
	Owner, Summary      string
	Database, Cache     string // kinds; empty for none
	Calls               []CallOption
	Publishes, Consumes []string
	Externals           []External
	Ingress             []string
}

// CallOption is a call to another service.
type CallOption struct {
	Service    string
	Operations []string
}

// NewService writes the text of a service.yaml: the fields that were chosen, and comments that teach the rest.
func NewService(name string, o Options) []byte { return nil }

// Change is one edit of a service.yaml.
type Change struct{ apply func() }

// AddCall declares operations of a callee; those of a call that exists already are added to it.
func AddCall(service string, operations ...string) Change { return Change{} }

// AddPublished declares event types that the service publishes.
func AddPublished(types ...string) Change { return Change{} }

// AddConsumed declares event types that the service consumes.
func AddConsumed(types ...string) Change { return Change{} }

// AddExternal declares a host outside the mesh. A zero Port or TLS is left out.
func AddExternal(e External) Change { return Change{} }

// AddIngress declares operations that can be reached from outside.
func AddIngress(operations ...string) Change { return Change{} }

// SetDatabase sets the kind of database.
func SetDatabase(kind string) Change { return Change{} }

// SetCache sets the kind of cache.
func SetCache(kind string) Change { return Change{} }

// Edit makes the changes to the text of a service.yaml. Comments, order and formatting stay as they are; the bytes are the
// same when nothing is to be changed.
func Edit(raw []byte, changes ...Change) ([]byte, error) { return nil, errSoon }

// NewOperation is an operation to be added to a contract.
type NewOperation struct {
	ID      string
	Method  string // GET, POST, PUT, PATCH or DELETE
	Path    string // /v1/orders/{id}
	Summary string // empty for the ID
}

// AddOperation adds an operation to the text of an OpenAPI document, with its path parameters, a body where the method has
// one, and answers. Comments, order and formatting stay as they are.
func AddOperation(contract []byte, op NewOperation) ([]byte, error) { return nil, errSoon }

func (c *Contract) parse() (*openapi3.T, error) { return nil, errSoon }

// Service returns the service of that name, or nil.
func (m *Model) Service(name string) *Service {
	for _, s := range m.Services {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// At gives the position of the field at path, or of the nearest field around it that stands in the file.
func (s *Service) At(path string) Position { return s.Positions[path] }

// Event is the JSON Schema of one event type.
type Event struct {
	Type   string // order.created.v1
	Path   string // contracts/events/order.created.v1.json
	Raw    []byte
	Schema *Schema
}

// Schema is a JSON Schema within the subset that Go types are generated from.
type Schema struct {
	Type        string // object, array, string, integer, number or boolean
	Title       string
	Description string
	Format      string
	Enum        []any     // string, float64 or bool
	Properties  []Property // in the order of the file
	Items       *Schema
	Position    Position
}

// Property is a named part of an object's schema.
type Property struct {
	Name     string
	Required bool
	Schema   *Schema
}

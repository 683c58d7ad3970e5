package proof

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// adminPort is where every service has its metrics.
const adminPort = 9090

// declarations are what the platform's files say of who may speak to whom, in the words of their authors: platform.yaml,
// service.yaml and the contracts. They are read here once more, and by other code than the generator's, because they are what
// the rendered files are measured by.
type declarations struct {
	Name        string
	Namespace   string
	TrustDomain string `json:"trustDomain"`
	Gateway     struct{ Hosts []string }
	Auth        struct{ Issuer, Audience, Service string }

	services []*declared
}

// declared is a service.yaml with its contract.
type declared struct {
	Name string
	HTTP struct {
		Port     int
		Contract string
	}
	Database, Cache struct{ Kind string }
	Calls           map[string]struct{ Operations []string }
	Events          struct{ Publishes, Consumes []string }
	Externals       []struct {
		Host string
		Port int
		TLS  string
	}
	Ingress []string
	Traffic struct {
		Canary struct{ Version string }
	}

	operations []operation
}

// operation is one of a contract.
type operation struct {
	id, method, path string
	scopes           [][]string // any of them is enough; nothing when anybody may call it
}

// readDeclarations reads the platform at the root.
func readDeclarations(root fs.FS) (*declarations, error) {
	d := &declarations{}
	if err := readYAML(root, "platform.yaml", d); err != nil {
		return nil, err
	}
	d.Namespace, d.TrustDomain = cmp.Or(d.Namespace, d.Name), cmp.Or(d.TrustDomain, "cluster.local")
	if len(d.Gateway.Hosts) == 0 {
		d.Gateway.Hosts = []string{d.Name + ".localhost"}
	}
	d.Auth.Issuer, d.Auth.Audience = cmp.Or(d.Auth.Issuer, "https://"+d.Gateway.Hosts[0]), cmp.Or(d.Auth.Audience, d.Name)
	files, err := fs.Glob(root, "services/*/service.yaml")
	if err != nil {
		return nil, fmt.Errorf("find the declarations: %w", err)
	}
	for _, file := range files {
		s, err := readService(root, file)
		if err != nil {
			return nil, err
		}
		d.services = append(d.services, s)
	}
	if d.Auth.Service == "" && d.service("users") != nil {
		d.Auth.Service = "users"
	}
	return d, nil
}

func readService(root fs.FS, file string) (*declared, error) {
	s := &declared{}
	if err := readYAML(root, file, s); err != nil {
		return nil, err
	}
	s.HTTP.Port, s.HTTP.Contract = cmp.Or(s.HTTP.Port, 8080), cmp.Or(s.HTTP.Contract, "api/openapi.yaml")
	var contract struct {
		Security []map[string][]string
		Paths    map[string]map[string]json.RawMessage
	}
	file = path.Join(path.Dir(file), s.HTTP.Contract)
	if err := readYAML(root, file, &contract); err != nil {
		return nil, err
	}
	for route, methods := range contract.Paths {
		for method, raw := range methods {
			if !slices.Contains(methodKeys, method) {
				continue // what all operations of the path share
			}
			var o struct {
				OperationID string                 `json:"operationId"`
				Security    *[]map[string][]string // an empty list is not the same as none
			}
			if err := json.Unmarshal(raw, &o); err != nil {
				return nil, fmt.Errorf("read %s: %s %s: %w", file, method, route, err)
			}
			security := contract.Security
			if o.Security != nil {
				security = *o.Security
			}
			s.operations = append(s.operations, operation{o.OperationID, strings.ToUpper(method), route, scopes(security)})
		}
	}
	slices.SortFunc(s.operations, func(a, b operation) int { return cmp.Compare(a.id, b.id) })
	return s, nil
}

// methodKeys are the keys of a path in a contract that are operations.
var methodKeys = []string{"get", "put", "post", "delete", "options", "head", "patch"}

// scopes are what each of the ways to be let in needs; there are none when one way needs nothing at all.
func scopes(security []map[string][]string) [][]string {
	var all [][]string
	for _, schemes := range security {
		if len(schemes) == 0 {
			return nil
		}
		all = append(all, slices.Concat(slices.Collect(maps.Values(schemes))...))
	}
	return all
}

func readYAML(root fs.FS, file string, into any) error {
	raw, err := fs.ReadFile(root, file)
	if err != nil {
		return fmt.Errorf("read a declaration: %w", err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return nil
}

// service gives the one of that name, or nil.
func (d *declarations) service(name string) *declared {
	for _, s := range d.services {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// host is a service's name in the mesh.
func (d *declarations) host(service string) string { return host(service, d.Namespace) }

func host(service, namespace string) string { return service + "." + namespace + ".svc.cluster.local" }

// spiffe is the identity of an account of any namespace.
func (d *declarations) spiffe(namespace, account string) string {
	return fmt.Sprintf("spiffe://%s/ns/%s/sa/%s", d.TrustDomain, namespace, account)
}

// calls reports whether the service has declared that it calls the operation.
func (s *declared) calls(callee, operation string) bool {
	return slices.Contains(s.Calls[callee].Operations, operation)
}

var parameter = regexp.MustCompile(`\{[^{}/]+\}`)

// url is a path that a request for the operation may have.
func (o operation) url() string { return parameter.ReplaceAllString(o.path, "a-7") }

// stores are the names of the stores that the service uses.
func (s *declared) stores() []string {
	var all []string
	if s.Database.Kind == "postgres" {
		all = append(all, "postgres")
	}
	if s.Cache.Kind == "redis" {
		all = append(all, "redis")
	}
	if len(s.Events.Publishes)+len(s.Events.Consumes) > 0 {
		all = append(all, "kafka")
	}
	return all
}

// outside is what answers a request from outside for the operation: it, or what another service lets be reached by that method and path.
func (d *declarations) outside(s *declared, o operation) (*declared, operation) {
	for _, other := range d.services {
		for _, same := range other.operations {
			if !s.reachable(o.id) && other.reachable(same.id) && same.method == o.method && same.url() == o.url() {
				return other, same
			}
		}
	}
	return s, o
}

// reachable reports whether the operation can be reached from outside.
func (s *declared) reachable(operation string) bool { return slices.Contains(s.Ingress, operation) }

// secured reports whether any operation asks for a token, which the service then verifies.
func (s *declared) secured() bool {
	return slices.ContainsFunc(s.operations, func(o operation) bool { return len(o.scopes) > 0 })
}

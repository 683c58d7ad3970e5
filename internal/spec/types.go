package spec

import (
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// Model is everything that the declarations of one platform say, checked and with defaults filled in.
type Model struct {
	// Module is the Go import path of the platform's root, read from go.mod.
	Module   string
	Platform *Platform
	// Services are sorted by name.
	Services []*Service
	// Events holds every schema in contracts/events, by event type.
	Events map[string]*Event
}

// Service returns the service of that name, or nil.
func (m *Model) Service(name string) *Service {
	for _, s := range m.Services {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Platform is platform.yaml: what all services share.
type Platform struct {
	Name        string            `yaml:"name"`
	Namespace   string            `yaml:"namespace"`
	TrustDomain string            `yaml:"trustDomain"`
	Registry    string            `yaml:"registry"`
	Gateway     Gateway           `yaml:"gateway"`
	Local       Local             `yaml:"local"`
	Versions    map[string]string `yaml:"versions"`
}

// Gateway is the platform's way in from outside.
type Gateway struct {
	Hosts []string `yaml:"hosts"`
}

// Local says where the platform listens on a developer's machine.
type Local struct {
	PortBase int `yaml:"portBase"`
}

// Service is one service.yaml.
type Service struct {
	Name      string           `yaml:"name"`
	Owner     string           `yaml:"owner"`
	Summary   string           `yaml:"summary"`
	HTTP      HTTP             `yaml:"http"`
	Database  Database         `yaml:"database"`
	Cache     Cache            `yaml:"cache"`
	Calls     map[string]*Call `yaml:"calls"`
	Events    Events           `yaml:"events"`
	Externals []External       `yaml:"externals"`
	Ingress   []string         `yaml:"ingress"`
	Traffic   Traffic          `yaml:"traffic"`
	SLO       SLO              `yaml:"slo"`
	Run       Run              `yaml:"run"`

	// Dir is the service's folder, relative to the platform's root, with slashes.
	Dir string `yaml:"-"`
	// Contract is the parsed OpenAPI document at HTTP.Contract.
	Contract *Contract `yaml:"-"`
	// Positions gives the line and column of a field by its path, such as "calls.inventory.timeout".
	Positions map[string]Position `yaml:"-"`
}

// HTTP is the service's API: its port in the container and its OpenAPI contract, relative to the service's folder.
type HTTP struct {
	Port     int    `yaml:"port"`
	Contract string `yaml:"contract"`
}

// Database is the service's own database: none or postgres.
type Database struct {
	Kind string `yaml:"kind"`
}

// Cache is the service's own cache: none or redis.
type Cache struct {
	Kind string `yaml:"kind"`
}

// Call is a synchronous dependency on another service.
type Call struct {
	Operations  []string      `yaml:"operations"`
	Timeout     time.Duration `yaml:"timeout"`
	Retry       Retry         `yaml:"retry"`
	Concurrency int           `yaml:"concurrency"`
	OnFailure   string        `yaml:"onFailure"`
}

// Retry bounds the attempts of an idempotent call. Attempts counts the first try too.
type Retry struct {
	Attempts int           `yaml:"attempts"`
	PerTry   time.Duration `yaml:"perTry"`
}

// Events are the event types that a service sends and receives.
type Events struct {
	Publishes []string `yaml:"publishes"`
	Consumes  []string `yaml:"consumes"`
}

// External is a host outside the mesh that the service may reach.
type External struct {
	Host string `yaml:"host"`
	Port int    `yaml:"port"`
	TLS  string `yaml:"tls"`
}

// Traffic is how the mesh treats requests to the service.
type Traffic struct {
	Outlier Outlier `yaml:"outlier"`
	Pool    Pool    `yaml:"pool"`
	Canary  *Canary `yaml:"canary"`
}

// Outlier ejects replicas that fail.
type Outlier struct {
	Consecutive5xx int           `yaml:"consecutive5xx"`
	Interval       time.Duration `yaml:"interval"`
	Ejection       time.Duration `yaml:"ejection"`
	MaxEjected     int           `yaml:"maxEjected"`
}

// Pool bounds the connections and requests to the service.
type Pool struct {
	Connections int `yaml:"connections"`
	Pending     int `yaml:"pending"`
	Requests    int `yaml:"requests"`
}

// Canary sends a share of the traffic to another version.
type Canary struct {
	Version string `yaml:"version"`
	Weight  int    `yaml:"weight"`
	Header  Header `yaml:"header"`
}

// Header is a request header and its exact value.
type Header struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

// SLO is how good the service must be.
type SLO struct {
	Availability float64       `yaml:"availability"`
	Latency      Latency       `yaml:"latency"`
	Window       time.Duration `yaml:"window"`
}

// Latency is the share of requests, in percent, that must be answered within Under.
type Latency struct {
	Percentile float64       `yaml:"percentile"`
	Under      time.Duration `yaml:"under"`
}

// Run is what the service needs to run: replicas, and requests and limits as Kubernetes quantities.
type Run struct {
	Replicas Replicas `yaml:"replicas"`
	CPU      Quantity `yaml:"cpu"`
	Memory   Quantity `yaml:"memory"`
}

// Replicas bounds the number of pods.
type Replicas struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// Quantity is a Kubernetes resource's request and limit, such as 50m or 64Mi.
type Quantity struct {
	Request string `yaml:"request"`
	Limit   string `yaml:"limit"`
}

// Contract is a service's OpenAPI document.
type Contract struct {
	// Path is relative to the platform's root.
	Path string
	Raw  []byte
	Doc  *openapi3.T
	// Operations by operationId.
	Operations map[string]*Operation
}

// Operation is one operation of a contract.
type Operation struct {
	ID     string
	Method string // upper case
	Path   string // as in the contract: /v1/products/{id}
	Spec   *openapi3.Operation
}

// Idempotent reports whether repeating the operation is safe by its method (RFC 9110, section 9.2.2).
func (o *Operation) Idempotent() bool {
	switch o.Method {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS":
		return true
	}
	return false
}

// Event is the JSON Schema of one event type.
type Event struct {
	Type string // order.created.v1
	Path string // contracts/events/order.created.v1.json
	Raw  []byte
}

// Position is a place in a file; Line and Column count from 1.
type Position struct {
	File         string
	Line, Column int
}

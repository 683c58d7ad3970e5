package spec

import (
	"sync"
	"time"

	"github.com/trellis-mesh/trellis/chassis/expect"
)

// The tags of the fields below are the whole of the rules for one field: the decoder and the JSON Schemas are both made
// from them, and the schemas' descriptions from the comments.
//
//	yaml      the key
//	default   the value when the key is absent, as it would be written; defaults that depend on something else are
//	          told in the comment and filled in by fillDefaults
//	required  "true" when the key must be there
//	is        the kind of text, one of kinds
//	enum      the allowed values
//	range     the least and greatest number or duration
//	keys      the allowed keys of a map
//	key       the fields that tell the items of a list apart; the items of a list of text must all differ
//	with      defaults of the fields below, which then override the type's own
//	example   a value for the schema

// Model is everything that the declarations of one platform say, checked and with defaults filled in.
type Model struct {
	// Module is the Go import path of the platform's root, read from go.mod.
	Module   string
	Platform *Platform
	// Services are sorted by name.
	Services []*Service
	// Events holds every schema in contracts/events, by event type.
	Events map[string]*Event

	once  sync.Once
	index *index
}

// Platform is platform.yaml: what all services share.
type Platform struct {
	// Name of the platform. It is the first word of image names and of the local stack.
	Name string `yaml:"name" required:"true" is:"name" example:"shop"`
	// Namespace in Kubernetes that the services run in. Default: the platform's name.
	Namespace string `yaml:"namespace" is:"name" example:"shop"`
	// TrustDomain of the mesh: the first part of every workload's identity, spiffe://<trustDomain>/ns/<namespace>/sa/<service>.
	TrustDomain string `yaml:"trustDomain" default:"cluster.local" is:"domain"`
	// Registry that images are pushed to and pulled from, without a scheme. ko.local means images that never leave this machine.
	Registry string `yaml:"registry" default:"ko.local" is:"registry" example:"registry.example.com/shop"`
	// Gateway is the platform's way in from outside.
	Gateway Gateway `yaml:"gateway"`
	// Auth is how requests from outside show whom they come from.
	Auth Auth `yaml:"auth"`
	// Local is how the platform runs on a developer's machine.
	Local Local `yaml:"local"`
	// Observability is where what an alert points to is found.
	Observability Observability `yaml:"observability"`
	// Versions pins every part that the platform runs on. A part that is not named here has the version that this release of
	// the scaffolder was proven with.
	Versions map[string]string `yaml:"versions" is:"version" keys:"kubernetes,istio,prometheus,alertmanager,grafana,jaeger,loki,kafka,postgres,redis"`
	// Images says where the images of everything that runs beside the services are taken from, for machines that reach no
	// public registry.
	Images Images `yaml:"images"`
}

// Observability is where what an alert points to is found.
type Observability struct {
	// Runbooks is the URL of the folder that has a page for each alert.
	Runbooks string `yaml:"runbooks" default:"https://github.com/trellis-mesh/trellis/blob/main/docs/runbooks" is:"link" example:"https://git.example.com/shop/docs/runbooks"`
	// Grafana is the URL that dashboards are at.
	Grafana string `yaml:"grafana" default:"http://grafana.localhost" is:"link" example:"https://grafana.example.com"`
}

// Images are container images other than those of the services.
type Images struct {
	// Mirror is the registry that the images are pulled from instead of the public ones: its name is put before theirs, as in
	// registry.example.com/mirror/docker.io/library/redis:8.2.1.
	Mirror string `yaml:"mirror" is:"registry" example:"registry.example.com/mirror"`
	// References are whole references to take instead of the pinned ones, by part: node is what kind runs, base what the
	// services' images are built on, istio the registry and folder of Istio's images, without a tag. No mirror is put before them.
	References map[string]string `yaml:"references" is:"image" keys:"node,base,istio,prometheus,alertmanager,grafana,jaeger,loki,kafka,postgres,redis"`
}

// Gateway is the platform's way in from outside.
type Gateway struct {
	// Hosts that the gateway answers to, as fully qualified names. Default: <name>.localhost, which resolves to this machine.
	Hosts []string `yaml:"hosts" is:"host" example:"api.example.com"`
}

// Auth is how requests from outside show whom they come from: by a token of a service of the platform (JWT). The gateway
// and each service ask for one where an operation's contract has security.
type Auth struct {
	// Issuer of the tokens, as they name it. Default: https:// and the first of gateway.hosts.
	Issuer string `yaml:"issuer" is:"issuer" example:"https://api.example.com"`
	// Audience that a token must be made for. Default: the platform's name.
	Audience string `yaml:"audience" is:"line" example:"shop"`
	// Service that issues the tokens and serves the keys to verify them with, at /.well-known/jwks.json. Default: users, when
	// there is a service of that name with the operation issueToken.
	Service string `yaml:"service" is:"service" example:"users"`
}

// Local says where the platform listens on a developer's machine.
type Local struct {
	// PortBase is the first of the ports that services listen on when they run as processes of this machine: each service
	// takes two from here on.
	PortBase int `yaml:"portBase" default:"18000" range:"1024..60000"`
}

// Service is one service.yaml.
type Service struct {
	// Name of the service, a DNS label: its folder, its Kubernetes Service and its identity in the mesh have this name.
	Name string `yaml:"name" required:"true" is:"service" example:"orders"`
	// Owner is the team that answers for the service; alerts carry it as a label.
	Owner string `yaml:"owner" default:"platform" is:"label" example:"checkout"`
	// Summary says in a sentence what the service is for. Default: "The <name> service."
	Summary string `yaml:"summary" is:"line" example:"Takes orders and drives each to completed or cancelled."`
	// HTTP is the service's API.
	HTTP HTTP `yaml:"http"`
	// Database is the service's own database; no other service can open it.
	Database Database `yaml:"database"`
	// Cache is the service's own cache.
	Cache Cache `yaml:"cache"`
	// Flags are the service's feature flags.
	Flags Flags `yaml:"flags"`
	// Calls are the synchronous calls to other services, by the callee's name. The mesh refuses every call that is not declared.
	Calls map[string]*Call `yaml:"calls" is:"service"`
	// Events are the event types that the service sends and receives.
	Events Events `yaml:"events"`
	// Externals are the hosts outside the mesh that the service may reach. The mesh refuses all others.
	Externals []External `yaml:"externals" key:"host,port"`
	// Ingress names the operations, by operationId, that can be reached from outside through the gateway.
	Ingress []string `yaml:"ingress" is:"operation" example:"createOrder"`
	// Traffic is how the mesh treats requests to the service.
	Traffic Traffic `yaml:"traffic"`
	// SLO is how good the service must be: its dashboards and alerts follow from it.
	SLO SLO `yaml:"slo"`
	// Uses names parts of the chassis that the service's code uses and no other declaration tells of: saga, twophase, eventstore,
	// ratelimit. They bring metrics, and so panels and alerts.
	Uses []string `yaml:"uses" is:"use" example:"saga"`
	// Metrics are the service's own, beside those that the chassis keeps. Go code to keep them is generated.
	Metrics []Metric `yaml:"metrics" key:"name"`
	// Run is what the service needs to run.
	Run Run `yaml:"run"`

	// Dir is the service's folder, relative to the platform's root, with slashes.
	Dir string `yaml:"-"`
	// Contract is the OpenAPI document at HTTP.Contract. ParseService leaves it nil, Load never does.
	Contract *Contract `yaml:"-"`
	// Expectations are what the service expects of others, one file each, by name. ParseService leaves them out.
	Expectations []*expect.File `yaml:"-"`
	// Positions gives the line and column of a field by its path, such as "calls.inventory.timeout" or "ingress[0]"; see At.
	Positions map[string]Position `yaml:"-"`
}

// HTTP is the service's API.
type HTTP struct {
	// Port that the API listens on in the container. 9090 is taken by the admin port: metrics, health, pprof.
	Port int `yaml:"port" default:"8080" range:"1024..65535"`
	// Contract is the OpenAPI 3.0.3 document of the API, relative to the service's folder.
	Contract string `yaml:"contract" default:"api/openapi.yaml" is:"path"`
	// Timeout is how long the service may take to answer a request: its own deadline, which every one of its calls must fit in.
	Timeout time.Duration `yaml:"timeout" default:"15s" range:"1ms..5m"`
}

// Database is the service's own database.
type Database struct {
	// Kind of database. With postgres, the service uses SQLite when it runs as a process of a developer's machine.
	Kind string `yaml:"kind" default:"none" enum:"none,postgres"`
	// Shards name further databases, at least two, that the service spreads rows over. Each is a database of its own, called
	// <service>-<shard>. More can be added at any time; one that has data in it must stay. Default: none.
	Shards []string `yaml:"shards" is:"shard" example:"s1"`
}

// Cache is the service's own cache.
type Cache struct {
	// Kind of cache.
	Kind string `yaml:"kind" default:"none" enum:"none,redis"`
}

// Flags are the service's feature flags.
type Flags struct {
	// Kind of source. With file, they are in deploy/flags.yaml of the service's folder, which the service follows while it runs.
	Kind string `yaml:"kind" default:"none" enum:"none,file"`
}

// Call is a synchronous dependency on another service.
type Call struct {
	// Operations of the callee's contract, by operationId. Nothing else of the callee can be called.
	Operations []string `yaml:"operations" required:"true" is:"operation" example:"getStock"`
	// Timeout of the whole call with all its attempts. It must be shorter than http.timeout.
	Timeout time.Duration `yaml:"timeout" default:"1s" range:"1ms..5m"`
	// Retry bounds the attempts. Only idempotent operations (GET, HEAD, PUT, DELETE, OPTIONS) are ever tried again.
	Retry Retry `yaml:"retry"`
	// Concurrency is how many calls to the callee may be under way at once; the rest are refused at once (a bulkhead).
	Concurrency int `yaml:"concurrency" default:"20" range:"1..10000"`
	// OnFailure says what becomes of the caller's own request when the call fails: fail it, or degrade the answer.
	OnFailure string `yaml:"onFailure" default:"fail" enum:"fail,degrade"`
}

// Retry bounds the attempts of an idempotent call.
type Retry struct {
	// Attempts in all, the first one included. 1 means no retry.
	Attempts int `yaml:"attempts" default:"2" range:"1..10"`
	// PerTry is the time limit of one attempt. The call's timeout must have room for all attempts. Default: timeout / attempts.
	PerTry time.Duration `yaml:"perTry" range:"1ms..5m" example:"300ms"`
}

// Events are the event types that a service sends and receives.
type Events struct {
	// Publishes names the event types that the service sends. Each needs a JSON Schema, contracts/events/<type>.json.
	Publishes []string `yaml:"publishes" is:"event" example:"order.created.v1"`
	// Consumes names the event types that the service receives. Each needs a service that publishes it.
	Consumes []string `yaml:"consumes" is:"event" example:"payment.processed.v1"`
}

// External is a host outside the mesh that the service may reach.
type External struct {
	// Host is a fully qualified name, without scheme or port.
	Host string `yaml:"host" required:"true" is:"host" example:"api.example.com"`
	// Port that the host listens on.
	Port int `yaml:"port" default:"443" range:"1..65535"`
	// TLS says who encrypts: originate (the service speaks plain HTTP and the mesh adds TLS), passthrough (the service speaks
	// TLS itself), or none.
	TLS string `yaml:"tls" default:"originate" enum:"originate,passthrough,none"`
}

// Traffic is how the mesh treats requests to the service.
type Traffic struct {
	// Version of the pods that answer requests: the tag of their image and the value of their label version. What a canary is
	// promoted to stands here.
	Version string `yaml:"version" default:"v1" is:"revision"`
	// Outlier ejects replicas that fail.
	Outlier Outlier `yaml:"outlier"`
	// Pool bounds the connections and requests to the service.
	Pool Pool `yaml:"pool"`
	// Canary sends a share of the traffic to another version. Default: no canary.
	Canary *Canary `yaml:"canary"`
}

// Outlier ejects replicas that fail.
type Outlier struct {
	// Consecutive5xx is how many 5xx answers in a row eject a replica.
	Consecutive5xx int `yaml:"consecutive5xx" default:"5" range:"1..1000"`
	// Interval between two looks at the replicas.
	Interval time.Duration `yaml:"interval" default:"10s" range:"1s..1h"`
	// Ejection is how long a replica stays out the first time.
	Ejection time.Duration `yaml:"ejection" default:"30s" range:"1s..1h"`
	// MaxEjected is the greatest share of the replicas that may be out at once, in percent.
	MaxEjected int `yaml:"maxEjected" default:"50" range:"0..100"`
}

// Pool bounds the connections and requests to the service.
type Pool struct {
	// Connections to the service, at most.
	Connections int `yaml:"connections" default:"100" range:"1..100000"`
	// Pending requests that may wait for a connection, at most.
	Pending int `yaml:"pending" default:"50" range:"1..100000"`
	// Requests under way, at most.
	Requests int `yaml:"requests" default:"1000" range:"1..1000000"`
}

// Canary sends a share of the traffic to another version.
type Canary struct {
	// Version that is tried out: the tag of its image and the value of its pods' label version.
	Version string `yaml:"version" required:"true" is:"revision" example:"v2"`
	// Weight is the share of the requests that go to it, in percent.
	Weight int `yaml:"weight" default:"0" range:"0..100"`
	// Header sends requests that carry it to the canary, whatever the weight; {} is x-canary with the value "true". Default: no
	// header does.
	Header *Header `yaml:"header"`
	// Mirror is the share of the requests, in percent, of which the canary gets a copy whose answer nobody sees. Only reading is
	// copied (GET, HEAD, OPTIONS): anything else would be done twice.
	Mirror int `yaml:"mirror" default:"0" range:"0..100"`
}

// Header is a request header and its exact value.
type Header struct {
	// Name of the header, in lower case.
	Name string `yaml:"name" default:"x-canary" is:"header"`
	// Value that the header must have. Quote it when it looks like a number or true.
	Value string `yaml:"value" default:"true" is:"line"`
}

// SLO is how good the service must be.
type SLO struct {
	// Availability is the share of requests, in percent, that are answered without a 5xx.
	Availability float64 `yaml:"availability" default:"99.9" range:"50..99.999"`
	// Latency is how fast requests must be answered.
	Latency Latency `yaml:"latency"`
	// Window that the objectives are measured over. Days may be written: 30d.
	Window time.Duration `yaml:"window" default:"30d" range:"1d..90d"`
}

// Latency is the share of requests that must be answered within a time.
type Latency struct {
	// Percentile is that share, in percent.
	Percentile float64 `yaml:"percentile" default:"99" range:"50..99.999"`
	// Under is the time that they must be answered within.
	Under time.Duration `yaml:"under" default:"500ms" range:"1ms..5m"`
}

// Metric is a metric of the service's own.
type Metric struct {
	// Name of the metric. It begins with the service's name, hyphens as underscores; those of counters, and of no others, end in _total.
	Name string `yaml:"name" required:"true" is:"metric" example:"orders_settled_total"`
	// Type of the metric.
	Type string `yaml:"type" default:"counter" enum:"counter,gauge,histogram"`
	// Labels that tell its time series apart. Each value of a label is a time series: only what has few values may be one, never an id.
	Labels []string `yaml:"labels" is:"metriclabel" example:"outcome"`
	// Help says in a sentence what is measured.
	Help string `yaml:"help" required:"true" is:"line" example:"Orders by what became of them."`
	// Unit of the values, for dashboards: none for numbers of things.
	Unit string `yaml:"unit" default:"none" enum:"none,seconds,bytes,ratio,timestamp"`
	// Buckets are the upper bounds of a histogram's buckets, in rising order. Default: from 5ms to 10s.
	Buckets []string `yaml:"buckets" is:"bound" example:"0.5"`
}

// Run is what the service needs to run.
type Run struct {
	// Replicas bounds the number of pods.
	Replicas Replicas `yaml:"replicas"`
	// CPU is the pod's share of processors, in cores or thousandths of one: 1, 250m.
	CPU Quantity `yaml:"cpu" is:"cpu" with:"request=50m,limit=500m"`
	// Memory is the pod's memory, in bytes with a unit: 64Mi, 1Gi.
	Memory Quantity `yaml:"memory" is:"memory" with:"request=64Mi,limit=128Mi"`
}

// Replicas bounds the number of pods.
type Replicas struct {
	// Min is how many pods run at the least; two survive the loss of a node.
	Min int `yaml:"min" default:"2" range:"1..1000"`
	// Max is how many pods the autoscaler may start.
	Max int `yaml:"max" default:"6" range:"1..1000"`
}

// Quantity is a Kubernetes resource's request and limit.
type Quantity struct {
	// Request is what the pod is sure to get.
	Request string `yaml:"request"`
	// Limit is what the pod never gets more than.
	Limit string `yaml:"limit"`
}

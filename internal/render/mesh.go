package render

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Where a service's stores and telemetry are.
const (
	dataNamespace          = "data"
	observabilityNamespace = "observability"
)

// host is the service's fully qualified name: a short one would mean another service in another namespace.
func host(name, namespace string) string { return name + "." + namespace + ".svc.cluster.local" }

// Host is the service's name in the mesh.
func (d *service) Host() string { return host(d.Name, d.Platform.Namespace) }

// Principal is the identity, as policies write it, of a service account.
func (d *service) Principal(namespace, account string) string {
	return principal(d.Platform, namespace, account)
}

func principal(p *spec.Platform, namespace, account string) string {
	return fmt.Sprintf("%s/ns/%s/sa/%s", p.TrustDomain, namespace, account)
}

// Stable is the version of the pods that are no canary.
func (d *service) Stable() string { return d.Traffic.Version }

// deployed is a version of the service that has pods. The tag of its image is the version, whichever it is: an image without
// one would be whatever was built last.
type deployed struct {
	Version string
	Name    string // of its Deployment
}

// Deployed are the service's versions, the one that answers requests first.
func (d *service) Deployed() []deployed {
	versions := []string{d.Stable()}
	if d.Traffic.Canary != nil {
		versions = append(versions, d.Traffic.Canary.Version)
	}
	var all []deployed
	for _, v := range versions {
		name := d.Name
		if v != "v1" {
			name += "-" + v
		}
		all = append(all, deployed{v, name})
	}
	return all
}

// mirrors reports whether the canary gets copies of requests.
func (d *service) mirrors() bool { return d.Traffic.Canary != nil && d.Traffic.Canary.Mirror > 0 }

// inbound is a declared call as the callee sees it.
type inbound struct {
	*spec.Call
	Caller     string
	Callee     string
	Operations []*spec.Operation

	contract *spec.Contract
	mirror   bool
}

// Inbound are the declared calls to the service, by caller.
func (d *service) Inbound() []inbound {
	var all []inbound
	for _, name := range d.Callers() {
		call := d.model.Service(name).Calls[d.Name]
		all = append(all, inbound{call, name, d.Name, declaredOperations(d.Contract, call.Operations), d.Contract, d.mirrors()})
	}
	return all
}

// declaredOperations are those of the contract with these ids, sorted by id.
func declaredOperations(c *spec.Contract, ids []string) []*spec.Operation {
	var all []*spec.Operation
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if op := c.Operations[id]; op != nil {
			all = append(all, op)
		}
	}
	return all
}

// Declared is where the call is declared.
func (i inbound) Declared() string {
	return "services/" + i.Caller + "/service.yaml: calls." + i.Callee
}

// Grants are what the caller may ask for.
func (i inbound) Grants() []grant { return grants(i.contract, i.Operations) }

// Routes are how the mesh treats the caller's requests.
func (i inbound) Routes() []route {
	again := retry{Attempts: i.Retry.Attempts - 1, PerTry: i.Retry.PerTry}
	return routes(i.Caller, i.Operations, i.mirror, limit{i.Timeout, i.Declared()}, again)
}

// grant lets requests in: any of the methods on any of the paths, but for some. It stands for exactly its operations, so
// only those with the same paths excepted share one, and only where each method goes with each path.
type grant struct {
	Operations []string
	Methods    []string
	Paths      []string // path templates: /v1/products/{*}
	Except     []string
}

// grants tells which requests are those of some of a contract's operations.
func grants(c *spec.Contract, ops []*spec.Operation) []grant {
	byPath := map[string]*grant{} // by path, and what is excepted from it
	for _, op := range ops {
		except := shadows(c, op, ops)
		key := pathTemplate(op.Path) + " " + strings.Join(except, " ")
		g := byPath[key]
		if g == nil {
			g = &grant{Paths: []string{pathTemplate(op.Path)}, Except: except}
			byPath[key] = g
		}
		g.Operations, g.Methods = append(g.Operations, op.ID), append(g.Methods, op.Method)
	}
	byMethods := map[string]*grant{}
	for _, key := range slices.Sorted(maps.Keys(byPath)) {
		g := byPath[key]
		slices.Sort(g.Methods)
		key = strings.Join(g.Methods, " ") + ", " + strings.Join(g.Except, " ")
		if same := byMethods[key]; same != nil {
			same.Operations, same.Paths = append(same.Operations, g.Operations...), append(same.Paths, g.Paths...)
		} else {
			byMethods[key] = g
		}
	}
	var all []grant
	for _, g := range byMethods {
		slices.Sort(g.Operations)
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b grant) int { return slices.Compare(a.Operations, b.Operations) })
	return all
}

// shadows are the paths of operations that are not granted, though the path of one that is would let them in:
// /v1/products/search in /v1/products/{id}.
func shadows(c *spec.Contract, op *spec.Operation, granted []*spec.Operation) []string {
	var paths []string
	for _, other := range c.Operations {
		if other.Method == op.Method && !slices.Contains(granted, other) && spec.Shadows(other.Path, op.Path) {
			paths = append(paths, pathTemplate(other.Path))
		}
	}
	slices.Sort(paths)
	return paths
}

var parameter = regexp.MustCompile(`\{[^{}/]+\}`)

// pathTemplate is a contract's path as a path template of a policy.
func pathTemplate(path string) string { return parameter.ReplaceAllLiteralString(path, "{*}") }

// retry is how often the mesh tries again, and when.
type retry struct {
	Attempts int // after the first
	PerTry   time.Duration
	On       string
}

// What may be tried again. Of any operation, what surely did not reach the callee; of one that is idempotent, also what
// brought no usable answer: no answer at all, 502, 503 or 504.
const (
	onNotSent  = "connect-failure,refused-stream"
	onNoAnswer = "connect-failure,refused-stream,reset-before-request,gateway-error"
)

// route is how the mesh treats some operations' requests of one caller.
type route struct {
	Name    string
	Caller  string // empty for the gateway
	Matches []match
	Limit   limit
	Retry   retry
	Mirror  bool // the canary gets copies
}

// limit is how long requests may take with all attempts, and what declares it.
type limit struct {
	Timeout  time.Duration
	Declared string
}

// match is an operation as a route finds it.
type match struct {
	Operation, Method string
	Exact, Regex      string // the path: one of the two
}

// routes gives a route for the idempotent operations and one for the rest, or a single one where nothing is tried again. Where
// the canary gets copies, those that only read have a route of their own.
func routes(caller string, ops []*spec.Operation, mirror bool, allowed limit, again retry) []route {
	idempotent := route{Name: "idempotent", Caller: caller, Limit: allowed, Retry: again}
	idempotent.Retry.On = onNoAnswer
	other := route{Name: "other", Caller: caller, Limit: allowed, Retry: retry{Attempts: again.Attempts, On: onNotSent}}
	if again.Attempts == 0 {
		idempotent.Name, idempotent.Retry = "once", retry{}
	}
	read := idempotent
	read.Name, read.Mirror = "read", true
	for _, op := range ops {
		switch {
		case mirror && op.Safe():
			read.Matches = append(read.Matches, newMatch(op))
		case op.Idempotent() || again.Attempts == 0:
			idempotent.Matches = append(idempotent.Matches, newMatch(op))
		default:
			other.Matches = append(other.Matches, newMatch(op))
		}
	}
	all := slices.DeleteFunc([]route{read, idempotent, other}, func(r route) bool { return len(r.Matches) == 0 })
	for i := range all {
		all[i].Name = cmp.Or(caller, "outside") + "-" + all[i].Name
	}
	return all
}

func newMatch(op *spec.Operation) match {
	m := match{Operation: op.ID, Method: op.Method, Exact: op.Path}
	if parameter.MatchString(op.Path) {
		var b strings.Builder
		end := 0
		for _, at := range parameter.FindAllStringIndex(op.Path, -1) {
			b.WriteString(regexp.QuoteMeta(op.Path[end:at[0]]) + "[^/]+")
			end = at[1]
		}
		m.Exact, m.Regex = "", b.String()+regexp.QuoteMeta(op.Path[end:]) // the mesh matches the whole path
	}
	return m
}

// outside are the operations that can be reached from outside.
func (d *service) outside() []*spec.Operation { return declaredOperations(d.Contract, d.Ingress) }

// OutsideGrants are what the gateway may ask for.
func (d *service) OutsideGrants() []grant { return grants(d.Contract, d.outside()) }

// OutsideRoutes are how the gateway treats requests: what is idempotent is tried again once. Operations with a time of their own
// have routes of their own.
func (d *service) OutsideRoutes() []route {
	byTimeout := map[time.Duration][]*spec.Operation{}
	for _, op := range d.outside() {
		byTimeout[op.Timeout] = append(byTimeout[op.Timeout], op)
	}
	var all []route
	for _, timeout := range slices.Sorted(maps.Keys(byTimeout)) {
		allowed := limit{d.HTTP.Timeout, "http.timeout"}
		if timeout > 0 {
			allowed = limit{timeout, "x-timeout of the contract"}
		}
		some := routes("", byTimeout[timeout], d.mirrors(), allowed, retry{Attempts: 1})
		for i := range some {
			if timeout > 0 {
				some[i].Name += "-" + meshDuration(timeout)
			}
		}
		all = append(all, some...)
	}
	return all
}

// outsideRule is who may ask for some operations from outside: anybody, or who has a token with all of the scopes.
type outsideRule struct {
	Public bool
	Scopes []string
	Grants []grant
}

// OutsideRules are who may ask for what from outside, as the contract's security says. What is no operation of ingress is
// excepted from each rule; what is another rule's, too.
func (d *service) OutsideRules() []outsideRule {
	type rule struct {
		outsideRule
		ops []*spec.Operation
	}
	rules := map[string]*rule{}
	add := func(public bool, scopes []string, op *spec.Operation) {
		key := fmt.Sprintf("%t %s", !public, strings.Join(scopes, " "))
		if rules[key] == nil {
			rules[key] = &rule{outsideRule: outsideRule{Public: public, Scopes: scopes}}
		}
		rules[key].ops = append(rules[key].ops, op)
	}
	for _, op := range d.outside() {
		if len(op.Security) == 0 {
			add(true, nil, op)
		}
		for _, scopes := range op.Security {
			add(false, scopes, op)
		}
	}
	var all []outsideRule
	for _, key := range slices.Sorted(maps.Keys(rules)) {
		r := rules[key]
		r.Grants = grants(d.Contract, r.ops)
		all = append(all, r.outsideRule)
	}
	return all
}

// IssuesTokens reports whether the tokens of requests from outside are this service's.
func (d *service) IssuesTokens() bool {
	issuer := d.model.Issuer()
	return issuer != nil && issuer.Name == d.Name
}

// Issuer is the service whose keys this one verifies tokens with, or nil when it verifies none.
func (d *service) Issuer() *spec.Service {
	if d.IssuesTokens() || !d.Contract.Secured() {
		return nil
	}
	return d.model.Issuer()
}

// CallsIssuer reports whether the service has declared a call to the issuer of tokens.
func (d *service) CallsIssuer() bool {
	issuer := d.Issuer()
	return issuer != nil && d.Calls[issuer.Name] != nil
}

// Verifiers are the names of the services that verify tokens with this one's keys.
func (d *service) Verifiers() []string {
	if !d.IssuesTokens() {
		return nil
	}
	var names []string
	for _, s := range d.model.Services {
		if s.Name != d.Name && s.Contract != nil && s.Contract.Secured() {
			names = append(names, s.Name)
		}
	}
	return names
}

// KeyPaths are where an issuer of tokens has its keys and what else is to be known of it.
func (d *service) KeyPaths() []string {
	return []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"}
}

// store is a store of the service's own.
type store struct {
	Name, Host, Declared string
	Port                 int
}

// Stores are the stores that the service uses.
func (d *service) Stores() []store {
	var all []store
	add := func(name, declared string, port int) {
		all = append(all, store{name, host(name, dataNamespace), declared, port})
	}
	if d.HasDatabase() {
		add("postgres", "database.kind", 5432)
	}
	if d.HasCache() {
		add("redis", "cache.kind", 6379)
	}
	if len(d.EventTypes()) > 0 {
		add("kafka", "events", 9092)
	}
	return all
}

// Egress are the namespaces and hosts that the service's sidecar knows, each with what declares it.
func (d *service) Egress() []egressHost {
	var all []egressHost
	for _, c := range d.Callees {
		all = append(all, egressHost{"./" + host(c.Name, d.Platform.Namespace), "calls." + c.Name})
	}
	if issuer := d.Issuer(); issuer != nil && !d.CallsIssuer() {
		all = append(all, egressHost{"./" + host(issuer.Name, d.Platform.Namespace), "security of the contract: the keys of tokens"})
	}
	var hosts []string
	for _, e := range d.Externals {
		hosts = append(hosts, e.Host)
	}
	slices.Sort(hosts)
	for _, h := range slices.Compact(hosts) {
		all = append(all, egressHost{"./" + h, "externals"})
	}
	for _, s := range d.Stores() {
		all = append(all, egressHost{dataNamespace + "/" + s.Host, s.Declared})
	}
	return append(all, egressHost{observabilityNamespace + "/" + host("collector", observabilityNamespace), "traces"})
}

type egressHost struct{ Host, Declared string }

// externalHost is a host outside the mesh with all ports that services declare of it.
type externalHost struct {
	Host       string
	Ports      []externalPort
	DeclaredBy []string // services
}

// externalPort is a port as the mesh sees it. Number is the one that programs use, and Target the host's own.
type externalPort struct {
	Number, Target int
	Protocol, Name string
	Originate      bool
}

// plainPort is where programs reach a host in the clear when the mesh adds TLS on the way out.
const plainPort = 80

// ExternalHosts describe the hosts outside the mesh. The first service by name that declares a host has it described, with
// what the others declare of it: two descriptions would stand against each other.
func (d *service) ExternalHosts() []externalHost {
	var all []externalHost
	for _, e := range d.Externals {
		declared := d.model.External(e.Host)
		if declared[0].Name != d.Name || slices.ContainsFunc(all, func(h externalHost) bool { return h.Host == e.Host }) {
			continue
		}
		all = append(all, newExternalHost(e.Host, declared))
	}
	slices.SortFunc(all, func(a, b externalHost) int { return strings.Compare(a.Host, b.Host) })
	return all
}

func newExternalHost(name string, declared []*spec.Service) externalHost {
	h := externalHost{Host: name}
	for _, s := range declared {
		h.DeclaredBy = append(h.DeclaredBy, s.Name)
		for _, e := range s.Externals {
			if p := newExternalPort(e); e.Host == name && !slices.Contains(h.Ports, p) {
				h.Ports = append(h.Ports, p)
			}
		}
	}
	slices.SortFunc(h.Ports, func(a, b externalPort) int { return cmp.Compare(a.Number, b.Number) })
	return h
}

func newExternalPort(e spec.External) externalPort {
	p := externalPort{Number: e.Port, Target: e.Port}
	switch e.TLS {
	case "originate":
		p.Number, p.Protocol, p.Originate = plainPort, "HTTP", true
	case "passthrough":
		p.Protocol = "TLS"
	default:
		p.Protocol = "HTTP"
	}
	p.Name = fmt.Sprintf("%s-%d", strings.ToLower(p.Protocol), p.Number)
	return p
}

// Originates reports whether the mesh adds TLS on any port of the host.
func (h externalHost) Originates() bool {
	return slices.ContainsFunc(h.Ports, func(p externalPort) bool { return p.Originate })
}

// meshDuration writes a duration as Istio reads it: 1m30s, 800ms.
func meshDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// meshInputs are the declarations of others that the service's part of the mesh follows from.
type meshInputs struct {
	TrustDomain  string
	Hosts        []string
	Auth         spec.Auth
	Callers      map[string]*spec.Call
	IssuesTokens bool
	Verifiers    []string
	Issuer       string
	IssuerPort   int
	Externals    []externalHost
}

func (d *service) meshInputs() meshInputs {
	in := meshInputs{
		TrustDomain: d.Platform.TrustDomain, Hosts: d.Platform.Gateway.Hosts, Auth: d.Platform.Auth, Callers: map[string]*spec.Call{},
		IssuesTokens: d.IssuesTokens(), Verifiers: d.Verifiers(), Externals: d.ExternalHosts(),
	}
	for _, s := range d.model.Callers(d.Name) {
		in.Callers[s.Name] = s.Calls[d.Name]
	}
	if issuer := d.Issuer(); issuer != nil {
		in.Issuer, in.IssuerPort = issuer.Name, issuer.HTTP.Port
	}
	return in
}

package cluster

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"

	"github.com/trellis-mesh/trellis/internal/lint/object"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// declared checks what the mesh makes of one service against what is declared.
func (c *checks) declared(s *spec.Service) {
	c.inbound(s)
	c.outbound(s)
	c.routes(s)
	c.connections(s)
	c.network(s)
	for i, e := range s.Externals {
		c.external(s, i, e)
	}
}

var parameter = regexp.MustCompile(`\{[^{}/]+\}`)

// template is a contract's path as policies write it.
func template(path string) string { return parameter.ReplaceAllLiteralString(path, "{*}") }

// keyPaths are where the issuer of tokens serves its keys.
var keyPaths = []string{"/.well-known/jwks.json", "/.well-known/openid-configuration"}

// request is what a policy lets in, or a declaration says it must: who, what, on which port.
type request struct{ from, method, path, port string }

func (r request) String() string {
	return fmt.Sprintf("%s: %s %s on port %s", r.from, r.method, r.path, r.port)
}

// inOrder are the keys by their text.
func inOrder[K interface {
	comparable
	fmt.Stringer
}, V any](m map[K]V) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int { return strings.Compare(a.String(), b.String()) })
}

// wanted are the requests that may come to a service, with the operation that each is, or nil.
func (c *checks) wanted(s *spec.Service) map[request]*spec.Operation {
	all := map[request]*spec.Operation{}
	ns, port := c.model.Platform.Namespace, strconv.Itoa(s.HTTP.Port)
	add := func(from string, ids []string) {
		for _, id := range ids {
			if op := s.Contract.Operations[id]; op != nil {
				all[request{from, op.Method, template(op.Path), port}] = op
			}
		}
	}
	for _, caller := range c.model.Callers(s.Name) {
		add(c.principal(ns, caller.Name), caller.Calls[s.Name].Operations)
	}
	gateway := c.principal(gatewayNamespace, "gateway")
	add(gateway, s.Ingress)
	if issuer := c.model.Issuer(); issuer == s {
		readers := []string{gateway}
		for _, other := range c.model.Services {
			if other != s && other.Contract.Secured() {
				readers = append(readers, c.principal(ns, other.Name))
			}
		}
		for _, from := range readers {
			for _, path := range keyPaths {
				if r := (request{from, "GET", path, port}); all[r] == nil {
					all[r] = nil
				}
			}
		}
	}
	all[request{c.principal(observability, "prometheus"), "GET", "/metrics", strconv.Itoa(adminPort)}] = nil
	return all
}

// inbound checks that the policies of the service's pods let in what is declared, and nothing else.
func (c *checks) inbound(s *spec.Service) {
	c.refused(s.Name, c.model.Platform.Namespace, map[string]string{"app": s.Name}, slices.Collect(maps.Keys(c.wanted(s))))
	wanted, seen := c.wanted(s), map[request]bool{}
	policy := c.find("AuthorizationPolicy", c.model.Platform.Namespace, s.Name)
	c.policies(c.model.Platform.Namespace, map[string]string{"app": s.Name}, func(o *object.Object, i int, rule *security.Rule) {
		froms := []string{"anybody"}
		if len(rule.From) > 0 {
			froms = nil
			for _, from := range rule.From {
				froms = append(froms, anyOf(from.GetSource().GetPrincipals(), "anybody")...)
			}
		}
		for j, to := range operations(rule) {
			at := o.At("spec", "rules", i, "to", j, "operation")
			narrowed := c.conditions(o, rule, to, at)
			if len(rule.When) > 0 {
				narrowed = true
				c.add(o.At("spec", "rules", i, "when"), "%s asks for %s, which nothing declares", o, rule.When[0].GetKey())
			}
			if len(to.GetHosts()) > 0 {
				narrowed = true
				c.add(at, "%s asks for the hosts %s, which nothing declares", o, strings.Join(to.Hosts, ", "))
			}
			for _, from := range froms {
				for _, r := range requests(from, to) {
					op, ok := wanted[r]
					if !ok {
						c.add(at, "%s lets in what nothing declares: %s", o, r)
						continue
					}
					seen[r] = seen[r] || !narrowed && !slices.Contains(to.NotPaths, r.path)
					c.shadowed(s, op, from, wanted, to, at)
				}
			}
		}
	})
	for _, r := range inOrder(wanted) {
		if !seen[r] {
			c.add(c.at(policy, s), "nothing lets in %s, which is declared", r)
		}
	}
}

// shadowed notes an operation that a granted path lets in, though it is not declared: /v1/products/search by /v1/products/{id}.
func (c *checks) shadowed(s *spec.Service, granted *spec.Operation, from string, wanted map[request]*spec.Operation, to *security.Operation, at spec.Position) {
	if granted == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(s.Contract.Operations)) {
		op := s.Contract.Operations[id]
		r := request{from, op.Method, template(op.Path), strconv.Itoa(s.HTTP.Port)}
		if _, declared := wanted[r]; !declared && op.Method == granted.Method && spec.Shadows(op.Path, granted.Path) && !slices.Contains(to.NotPaths, r.path) {
			c.add(at, "the path of %s also lets in %s, which is not declared: %s", granted.ID, op.ID, r)
		}
	}
}

// policies calls do for every rule of the policies that let something in to pods with these labels, but those of the root namespace.
func (c *checks) policies(namespace string, labels map[string]string, do func(o *object.Object, i int, rule *security.Rule)) {
	each(c, func(o *object.Object, a *security.AuthorizationPolicy) {
		if o.Namespace != namespace || a.Action != security.AuthorizationPolicy_ALLOW || !holds(labels, a.GetSelector().GetMatchLabels()) {
			return
		}
		for i, rule := range a.Rules {
			do(o, i, rule)
		}
	})
}

// operations are those of a rule; a rule without any is for all.
func operations(rule *security.Rule) []*security.Operation {
	var all []*security.Operation
	for _, to := range rule.To {
		all = append(all, to.Operation)
	}
	if len(all) == 0 {
		all = []*security.Operation{{}}
	}
	return all
}

// requests are what an operation of a rule stands for: any of its methods, on any of its paths, on any of its ports.
func requests(from string, to *security.Operation) []request {
	var all []request
	for _, port := range anyOf(to.GetPorts(), "any") {
		for _, method := range anyOf(to.GetMethods(), "any") {
			for _, path := range anyOf(to.GetPaths(), "any") {
				all = append(all, request{from, method, path, port})
			}
		}
	}
	return all
}

func anyOf(all []string, otherwise string) []string {
	if len(all) == 0 {
		return []string{otherwise}
	}
	return all
}

// find gives the object of that kind and name, or nil.
func (c *checks) find(kind, namespace, name string) *object.Object {
	for _, o := range c.objects {
		if o.Kind == kind && o.Namespace == namespace && o.Name == name {
			return o
		}
	}
	return nil
}

// at is the place of an object, or of the service's declaration when there is none.
func (c *checks) at(o *object.Object, s *spec.Service, path ...any) spec.Position {
	if o != nil {
		return o.At(path...)
	}
	return s.At("name")
}

// outbound checks that the service's sidecar knows exactly what is declared.
func (c *checks) outbound(s *spec.Service) {
	ns := c.model.Platform.Namespace
	wanted := map[string]bool{observability + "/" + fqdn("collector", observability): true}
	for _, callee := range c.model.Callees(s.Name) {
		wanted["./"+c.serviceHost(callee)] = true
	}
	if issuer := c.model.Issuer(); issuer != nil && issuer != s && s.Contract.Secured() {
		wanted["./"+c.serviceHost(issuer)] = true
	}
	for _, e := range s.Externals {
		wanted["./"+e.Host] = true
	}
	for _, store := range storesOf(s) {
		wanted[dataNamespace+"/"+fqdn(store.name, dataNamespace)] = true
	}
	var own *object.Object
	each(c, func(o *object.Object, sidecar *networking.Sidecar) {
		selector := sidecar.GetWorkloadSelector().GetLabels()
		if o.Namespace != ns || !holds(map[string]string{"app": s.Name}, selector) || len(selector) == 0 {
			return
		}
		own = o
		if sidecar.GetOutboundTrafficPolicy().GetMode() != networking.OutboundTrafficPolicy_REGISTRY_ONLY || sidecar.OutboundTrafficPolicy == nil {
			c.add(o.At("spec", "outboundTrafficPolicy"), "the sidecar of %s lets requests out to hosts that it does not know: it must be REGISTRY_ONLY", s.Name)
		}
		for i, e := range sidecar.Egress {
			for j, name := range e.Hosts {
				if !wanted[name] {
					c.add(o.At("spec", "egress", i, "hosts", j), "the sidecar of %s knows %s, which nothing declares", s.Name, name)
				}
				delete(wanted, name)
			}
		}
	})
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		c.add(c.at(own, s, "spec", "egress"), "the sidecar of %s does not know %s, which is declared", s.Name, name)
	}
}

// external checks that a declared host outside the mesh is known to it, on the port that programs use.
func (c *checks) external(s *spec.Service, i int, e spec.External) {
	at := s.At(fmt.Sprintf("externals[%d]", i))
	port := e.Port
	if e.TLS == "originate" {
		port = plainPort
	}
	found, originated := false, false
	each(c, func(_ *object.Object, entry *networking.ServiceEntry) {
		found = found || slices.Contains(entry.Hosts, e.Host) && entry.Location == networking.ServiceEntry_MESH_EXTERNAL &&
			slices.ContainsFunc(entry.Ports, func(p *networking.ServicePort) bool { return servesExternal(p, e, port) })
	})
	if !found {
		c.add(at, "no ServiceEntry has %s with port %d as it is declared", e.Host, e.Port)
		return
	}
	each(c, func(_ *object.Object, rule *networking.DestinationRule) {
		for _, p := range rule.GetTrafficPolicy().GetPortLevelSettings() {
			tls := p.GetTls()
			originated = originated || rule.Host == e.Host && int(p.GetPort().GetNumber()) == port && tls.GetMode() == networking.ClientTLSSettings_SIMPLE &&
				tls.Sni == e.Host && slices.Contains(tls.SubjectAltNames, e.Host) && !tls.GetInsecureSkipVerify().GetValue()
		}
	})
	if originated != (e.TLS == "originate") {
		c.add(at, "%s says tls: %s, but its DestinationRule does not say how TLS is added and checked", e.Host, e.TLS)
	}
}

// plainPort is where programs reach a host in the clear when the mesh adds TLS on the way out.
const plainPort = 80

func servesExternal(p *networking.ServicePort, e spec.External, port int) bool {
	target := int(p.TargetPort)
	if target == 0 {
		target = int(p.Number)
	}
	protocol := "HTTP"
	if e.TLS == "passthrough" {
		protocol = "TLS"
	}
	return int(p.Number) == port && target == e.Port && strings.EqualFold(p.Protocol, protocol)
}

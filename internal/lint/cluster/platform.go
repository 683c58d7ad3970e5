package cluster

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/trellis-mesh/trellis/internal/lint/object"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// meshFile holds the mesh configuration.
const meshFile = "mesh/istio/istiod.yaml"

// platform checks what holds for all services.
func (c *checks) platform() {
	c.strict()
	c.nothing()
	c.standardSidecar()
	files := []string{meshFile}
	at := spec.Position{File: meshFile, Line: 1, Column: 1}
	if above := path.Join(c.environment, "istio", path.Base(meshFile)); c.sources.Values[above] != nil {
		files = append(files, above)
		if own, err := c.sources.MeshConfig(above); err != nil || !proto.Equal(own, &meshconfig.MeshConfig{}) {
			at.File = above
		}
	}
	config, err := c.sources.MeshConfig(files...)
	if err != nil {
		c.add(at, "the mesh configuration cannot be read: %v", err)
		return
	}
	if n := c.sources.Values[at.File]; n != nil {
		at.Line = n.Line
	}
	if config.TrustDomain != c.model.Platform.TrustDomain {
		c.add(at, "the trust domain of the mesh is %q, but platform.yaml says %s", config.TrustDomain, c.model.Platform.TrustDomain)
	}
	if config.GetOutboundTrafficPolicy().GetMode() != meshconfig.MeshConfig_OutboundTrafficPolicy_REGISTRY_ONLY || config.OutboundTrafficPolicy == nil {
		c.add(at, "meshConfig.outboundTrafficPolicy lets requests out to any host: its mode must be REGISTRY_ONLY")
	}
	if r := config.DefaultHttpRetryPolicy; r == nil || r.Attempts != 0 {
		c.add(at, "meshConfig.defaultHttpRetryPolicy must say attempts: 0: Istio's own default repeats a POST after a 503")
	}
	if config.GetPathNormalization().GetNormalization() != meshconfig.MeshConfig_ProxyPathNormalization_DECODE_AND_MERGE_SLASHES {
		c.add(at, "meshConfig.pathNormalization must be DECODE_AND_MERGE_SLASHES: a policy must see the path that the service sees")
	}
	c.providers(config)
}

// strict checks that no connection is let in that does not show who it is from.
func (c *checks) strict() {
	all := false
	each(c, func(o *object.Object, p *security.PeerAuthentication) {
		if p.GetMtls().GetMode() != security.PeerAuthentication_MutualTLS_STRICT {
			c.add(o.At("spec", "mtls", "mode"), "the %s lets in connections that do not show who they are from: mtls.mode must be STRICT", o)
		} else if o.Namespace == rootNamespace && p.Selector == nil {
			all = true
		}
		for _, port := range p.PortLevelMtls {
			if port.Mode != security.PeerAuthentication_MutualTLS_STRICT {
				c.add(o.At("spec", "portLevelMtls"), "the %s lets in connections to a port that do not show who they are from", o)
			}
		}
	})
	if !all {
		c.add(baseFile("peer-authentication.yaml"), "no PeerAuthentication in %s makes mutual TLS STRICT for all", rootNamespace)
	}
}

func baseFile(name string) spec.Position {
	return spec.Position{File: baseFolder + "/" + name, Line: 1, Column: 1}
}

// nothing checks that nothing is let in anywhere but by a policy of its own.
func (c *checks) nothing() {
	closed := false
	each(c, func(o *object.Object, a *security.AuthorizationPolicy) {
		if o.Namespace != rootNamespace || a.Action != security.AuthorizationPolicy_ALLOW {
			return
		}
		if len(a.Rules) > 0 {
			c.add(o.At("spec", "rules"), "the %s lets requests in to every namespace", o)
		} else if a.Selector == nil {
			closed = true
		}
	})
	if !closed {
		c.add(baseFile("authorization.yaml"), "no AuthorizationPolicy in %s lets nothing in, so pods without a policy of their own are open to all", rootNamespace)
	}
}

// standardSidecar checks what sidecars know of that none is declared for.
func (c *checks) standardSidecar() {
	found := false
	each(c, func(o *object.Object, s *networking.Sidecar) {
		if o.Namespace != rootNamespace {
			return
		}
		found = true
		if s.OutboundTrafficPolicy == nil || s.OutboundTrafficPolicy.Mode != networking.OutboundTrafficPolicy_REGISTRY_ONLY {
			c.add(o.At("spec", "outboundTrafficPolicy"), "sidecars without a Sidecar of their own let requests out to any host: the mode must be REGISTRY_ONLY")
		}
		for i, e := range s.Egress {
			for j, name := range e.Hosts {
				if name != rootNamespace+"/*" && name != observability+"/"+fqdn("collector", observability) {
					c.add(o.At("spec", "egress", i, "hosts", j), "every sidecar knows %s, which nothing declares", name)
				}
			}
		}
	})
	if !found {
		c.add(baseFile("sidecar.yaml"), "there is no Sidecar in %s, so each sidecar is told of every service", rootNamespace)
	}
}

// providers checks that telemetry goes where the mesh configuration says something is.
func (c *checks) providers(config *meshconfig.MeshConfig) {
	names := map[string]bool{"prometheus": true} // which Istio has of its own
	for _, p := range config.ExtensionProviders {
		names[p.Name] = true
	}
	each(c, func(o *object.Object, a *security.AuthorizationPolicy) {
		if name := a.GetProvider().GetName(); name != "" && !names[name] {
			c.add(o.At("spec", "provider"), "there is no provider %s that could be asked about requests: %s", name, known(names))
		}
	})
	each(c, func(o *object.Object, t *telemetry.Telemetry) {
		check := func(all []*telemetry.ProviderRef, path ...any) {
			for _, p := range all {
				if !names[p.Name] {
					c.add(o.At(append([]any{"spec"}, path...)...), "there is no telemetry provider %s: %s", p.Name, known(names))
				}
			}
		}
		for i, x := range t.Tracing {
			check(x.Providers, "tracing", i)
		}
		for i, x := range t.AccessLogging {
			check(x.Providers, "accessLogging", i)
		}
		for i, x := range t.Metrics {
			check(x.Providers, "metrics", i)
		}
	})
}

// entry is what the gateway lets in: an operation of a method and path, for anybody or with a token of some scopes.
type entry struct{ method, path, who string }

func (e entry) String() string { return e.method + " " + e.path + " for " + e.who }

// granted is an operation that can be reached from outside.
type granted struct {
	service *spec.Service
	op      *spec.Operation
}

// entries are what the gateway must let in.
func (c *checks) entries() map[entry]granted {
	all := map[entry]granted{}
	token := "a token of " + c.model.Platform.Auth.Issuer + "/*"
	for _, s := range c.model.Services {
		for _, id := range s.Ingress {
			op := s.Contract.Operations[id]
			if op == nil {
				continue
			}
			if len(op.Security) == 0 {
				all[entry{op.Method, template(op.Path), "anybody"}] = granted{s, op}
			}
			for _, scopes := range op.Security {
				all[entry{op.Method, template(op.Path), with(token, scopes)}] = granted{s, op}
			}
		}
	}
	return all
}

// gateway checks that the gateway lets in the operations of ingress, with the tokens that their contracts ask for, and no others.
func (c *checks) gateway() {
	wanted, seen := c.entries(), map[entry]bool{}
	c.policies(gatewayNamespace, gatewayLabels, func(o *object.Object, i int, rule *security.Rule) {
		who := holder(rule)
		for j, to := range operations(rule) {
			at := o.At("spec", "rules", i, "to", j, "operation")
			if slices.Equal(to.GetPorts(), []string{"80"}) && who == "anybody" {
				continue // where all are told to come by TLS
			}
			c.gatewayHosts(o, to, at)
			narrowed := c.conditions(o, rule, to, at)
			for _, r := range requests("", to) {
				e := entry{r.method, r.path, who}
				granted, ok := wanted[e]
				if !ok {
					c.add(at, "%s lets in what nothing declares: %s", o, e)
					continue
				}
				seen[e] = seen[e] || !narrowed && !slices.Contains(to.GetNotPaths(), r.path)
				for _, id := range slices.Sorted(maps.Keys(granted.service.Contract.Operations)) {
					op := granted.service.Contract.Operations[id]
					other := entry{op.Method, template(op.Path), who}
					if _, declared := wanted[other]; !declared && op.Method == e.method && spec.Shadows(op.Path, granted.op.Path) && !slices.Contains(to.GetNotPaths(), other.path) {
						c.add(at, "the path of %s also lets in %s of %s, which is not declared: %s", granted.op.ID, op.ID, granted.service.Name, other)
					}
				}
			}
		}
	})
	var outside []request
	for e := range wanted {
		outside = append(outside, request{"", e.method, e.path, "443"})
	}
	c.refused("the gateway", gatewayNamespace, gatewayLabels, outside)
	for _, e := range inOrder(wanted) {
		if s := wanted[e].service; !seen[e] {
			c.add(c.at(c.find("AuthorizationPolicy", gatewayNamespace, s.Name+"-ingress"), s), "the gateway does not let in %s, which %s declares", e, s.Name)
		}
	}
	c.tokens()
	c.redirects()
}

func with(token string, scopes []string) string {
	if len(scopes) == 0 {
		return token
	}
	return token + " with " + strings.Join(slices.Sorted(slices.Values(scopes)), " and ")
}

// holder is whom a rule of the gateway lets in.
func holder(rule *security.Rule) string {
	var principals, scopes []string
	for _, from := range rule.From {
		principals = append(principals, from.GetSource().GetRequestPrincipals()...)
	}
	for _, when := range rule.When {
		if when.Key != "request.auth.claims[scope]" || len(when.NotValues) > 0 {
			return "when " + when.Key
		}
		scopes = append(scopes, strings.Join(when.Values, " or "))
	}
	if len(principals) == 0 && len(scopes) == 0 {
		return "anybody"
	}
	return with("a token of "+strings.Join(anyOf(principals, "anybody"), " or "), scopes)
}

func (c *checks) gatewayHosts(o *object.Object, to *security.Operation, at spec.Position) {
	var hosts []string
	for _, h := range c.model.Platform.Gateway.Hosts {
		hosts = append(hosts, h, h+":*")
	}
	if got := slices.Sorted(slices.Values(to.GetHosts())); !slices.Equal(got, slices.Sorted(slices.Values(hosts))) {
		c.add(at, "%s is for the hosts %s, but gateway.hosts gives %s", o, strings.Join(anyOf(got, "of all names"), ", "), strings.Join(hosts, ", "))
	}
}

// tokens checks that the gateway believes the tokens of the platform's issuer, and no others.
func (c *checks) tokens() {
	issuer, found := c.model.Issuer(), false
	each(c, func(o *object.Object, a *security.RequestAuthentication) {
		for i, rule := range a.JwtRules {
			auth := c.model.Platform.Auth
			if issuer == nil || rule.Issuer != auth.Issuer || !slices.Equal(rule.Audiences, []string{auth.Audience}) ||
				rule.JwksUri != "http://"+c.serviceHost(issuer)+":"+strconv.Itoa(issuer.HTTP.Port)+keyPaths[0] {
				c.add(o.At("spec", "jwtRules", i), "the %s believes tokens of %s for %s by the keys at %s, but platform.yaml's auth says otherwise",
					o, rule.Issuer, strings.Join(anyOf(rule.Audiences, "anybody"), ", "), rule.JwksUri)
			}
			found = found || o.Namespace == gatewayNamespace
		}
	})
	if issuer != nil && !found {
		c.add(issuer.At("name"), "the gateway verifies no tokens: there is no RequestAuthentication in %s", gatewayNamespace)
	}
}

// redirects checks that what is not encrypted is told to come back encrypted.
func (c *checks) redirects() {
	each(c, func(o *object.Object, g *networking.Gateway) {
		for i, server := range g.Servers {
			tls := server.GetTls()
			if server.GetPort().GetProtocol() == "HTTP" && !tls.GetHttpsRedirect() && !c.local(server.GetHosts()) || server.GetPort().GetProtocol() == "HTTPS" && tls.GetCredentialName() == "" {
				c.add(o.At("spec", "servers", i), "the %s takes requests on port %d without TLS", o, server.GetPort().GetNumber())
			}
		}
	})
}

// local reports whether hosts are of names that lead to the machine itself, and not those of the platform: requests to them go
// over no network.
func (c *checks) local(hosts []string) bool {
	return len(hosts) > 0 && !slices.ContainsFunc(hosts, func(h string) bool {
		_, name, _ := strings.Cut(h, "/")
		return !strings.HasSuffix(name, ".localhost") || strings.Contains(name, "*") || slices.Contains(c.model.Platform.Gateway.Hosts, name)
	})
}

// store is a store that a service uses.
type store struct {
	name string
	port int
}

var kafka = store{"kafka", 9092}

func storesOf(s *spec.Service) []store {
	var all []store
	if s.Database.Kind == "postgres" {
		all = append(all, store{"postgres", 5432})
	}
	if s.Cache.Kind == "redis" {
		all = append(all, store{"redis", 6379})
	}
	if len(s.Events.Publishes)+len(s.Events.Consumes) > 0 {
		all = append(all, kafka)
	}
	return all
}

// passers are the parts of the telemetry that may pass spans by Kafka, where the environment has them do so.
var passers = []string{"collector", "jaeger"}

// opener is who opens a store, and where that is declared.
type opener struct {
	name string
	at   spec.Position
}

// openers are the requests that a store must let in: of the services that declare it, and of the telemetry whose Sidecars know it.
func (c *checks) openers(name string) map[request]opener {
	all := map[request]opener{}
	for _, s := range c.model.Services {
		for _, st := range storesOf(s) {
			if st.name == name {
				all[request{c.principal(c.model.Platform.Namespace, s.Name), "any", "any", strconv.Itoa(st.port)}] = opener{s.Name, s.At("name")}
			}
		}
	}
	if name != kafka.name {
		return all
	}
	each(c, func(o *object.Object, sidecar *networking.Sidecar) {
		app := sidecar.GetWorkloadSelector().GetLabels()["app"]
		if o.Namespace != observability || !slices.Contains(passers, app) {
			return
		}
		for i, e := range sidecar.Egress {
			if j := slices.Index(e.Hosts, dataNamespace+"/"+fqdn(name, dataNamespace)); j >= 0 {
				all[request{c.principal(observability, app), "any", "any", strconv.Itoa(kafka.port)}] = opener{app, o.At("spec", "egress", i, "hosts", j)}
			}
		}
	})
	return all
}

// stores checks that each store lets in those who open it, and no others.
func (c *checks) stores() {
	for _, name := range []string{"postgres", "redis", "kafka"} {
		wanted, seen := c.openers(name), map[request]bool{}
		own := c.principal(dataNamespace, name) // a store's pods read from one another
		c.policies(dataNamespace, map[string]string{"app": name}, func(o *object.Object, i int, rule *security.Rule) {
			for j, to := range operations(rule) {
				narrowed := c.conditions(o, rule, to, o.At("spec", "rules", i, "to", j)) || len(rule.When) > 0
				for _, from := range rule.From {
					for _, principal := range anyOf(from.GetSource().GetPrincipals(), "anybody") {
						for _, r := range requests(principal, to) {
							seen[r] = seen[r] || !narrowed
							if _, declared := wanted[r]; !declared && r.from != own {
								c.add(o.At("spec", "rules", i, "to", j), "%s lets in what nothing declares: %s", o, r)
							}
						}
					}
				}
			}
			if len(rule.From) == 0 {
				c.add(o.At("spec", "rules", i), "%s lets anybody in", o)
			}
		})
		c.refused(name, dataNamespace, map[string]string{"app": name}, slices.Collect(maps.Keys(wanted)))
		for _, r := range inOrder(wanted) {
			if who := wanted[r]; !seen[r] {
				c.add(who.at, "nothing lets %s open %s, which it declares", who.name, name)
			}
		}
	}
}

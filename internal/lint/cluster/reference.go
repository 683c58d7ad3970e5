package cluster

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"

	"github.com/trellis-mesh/trellis/internal/lint/object"
)

// references checks that what one object says of another leads to it.
func (c *checks) references() {
	each(c, c.virtualService)
	each(c, c.destinationRule)
	each(c, c.serviceEntry)
	each(c, func(o *object.Object, s *networking.Sidecar) {
		c.selects(o, s.GetWorkloadSelector().GetLabels(), "workloadSelector", "labels")
		for i, e := range s.Egress {
			for j, h := range e.Hosts {
				c.egressHost(o, h, "spec", "egress", i, "hosts", j)
			}
		}
	})
	each(c, c.authorization)
	each(c, func(o *object.Object, a *security.RequestAuthentication) {
		c.selects(o, a.GetSelector().GetMatchLabels(), "selector", "matchLabels")
		for i, rule := range a.JwtRules {
			if u, err := url.Parse(rule.JwksUri); err != nil || u.Port() == "" {
				c.add(o.At("spec", "jwtRules", i, "jwksUri"), "jwksUri %q is no URL with a port", rule.JwksUri)
			} else if port, _ := strconv.Atoi(u.Port()); c.host(o, u.Hostname(), "spec", "jwtRules", i, "jwksUri") {
				c.port(o, u.Hostname(), port, "spec", "jwtRules", i, "jwksUri")
			}
		}
	})
	each(c, func(o *object.Object, a *security.PeerAuthentication) {
		c.selects(o, a.GetSelector().GetMatchLabels(), "selector", "matchLabels")
	})
	each(c, func(o *object.Object, g *networking.Gateway) { c.selects(o, g.Selector, "selector") })
	each(c, func(o *object.Object, f *networking.EnvoyFilter) {
		c.selects(o, f.GetWorkloadSelector().GetLabels(), "workloadSelector", "labels")
	})
	each(c, c.networkPolicy)
}

// selects checks that a selector picks some pods of its namespace; without one, an object holds for all.
func (c *checks) selects(o *object.Object, selector map[string]string, path ...any) {
	if len(selector) > 0 && len(c.selected(o.Namespace, selector)) == 0 {
		c.add(o.At(append([]any{"spec"}, path...)...), "the %s selects %s, and no pods in %s have that", o, text(selector), o.Namespace)
	}
}

// selected are the pods that a selector in the namespace picks: all in all namespaces for an empty one in the root namespace.
func (c *checks) selected(namespace string, selector map[string]string) []workload {
	var all []workload
	for _, w := range c.workloads {
		if (w.namespace == namespace || namespace == rootNamespace && len(selector) == 0) && holds(w.labels, selector) {
			all = append(all, w)
		}
	}
	return all
}

// holds reports whether the labels include the selector's.
func holds(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func text(labels map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, key+": "+labels[key])
	}
	return strings.Join(all, ", ")
}

// host checks that a host is one that requests can be sent to, and reports whether it is.
func (c *checks) host(o *object.Object, name string, path ...any) bool {
	switch {
	case c.hosts[name] != nil:
		return true
	case !strings.Contains(name, "."):
		c.add(o.At(path...), "the host %s is a short name, which means another service in another namespace: write %s", name, fqdn(name, o.Namespace))
	default:
		c.add(o.At(path...), "there is no host %s: neither a Service nor a ServiceEntry has that name", name)
	}
	return false
}

func (c *checks) port(o *object.Object, name string, port int, path ...any) {
	if !c.hosts[name].ports[port] {
		c.add(o.At(path...), "%s has no port %d", name, port)
	}
}

func (c *checks) virtualService(o *object.Object, v *networking.VirtualService) {
	atGateway, answers := false, []string{}
	for i, g := range v.Gateways {
		if g == "mesh" {
			continue
		}
		atGateway = true
		if !c.has("Gateway", g) {
			c.add(o.At("spec", "gateways", i), "there is no Gateway %s", g)
		}
		answers = append(answers, c.answers(g, o.Namespace)...)
	}
	for i, h := range v.Hosts {
		if !atGateway {
			c.host(o, h, "spec", "hosts", i)
		} else if !slices.Contains(answers, h) {
			c.add(o.At("spec", "hosts", i), "the gateway does not answer to %s: platform.yaml says %s", h, strings.Join(c.model.Platform.Gateway.Hosts, ", "))
		}
	}
	for i, route := range v.Http {
		c.route(o, route, "spec", "http", i)
	}
}

// answers are the hosts that a Gateway takes requests to, for routes of a namespace.
func (c *checks) answers(gateway, namespace string) []string {
	if gateway == gatewayNamespace+"/gateway" {
		return c.model.Platform.Gateway.Hosts
	}
	var all []string
	each(c, func(o *object.Object, g *networking.Gateway) {
		for _, server := range g.Servers {
			for _, h := range server.Hosts {
				if name, ok := strings.CutPrefix(h, namespace+"/"); ok && o.Namespace+"/"+o.Name == gateway {
					all = append(all, name)
				}
			}
		}
	})
	return all
}

// has reports whether there is an object of the kind with this namespace/name.
func (c *checks) has(kind, name string) bool {
	return slices.ContainsFunc(c.objects, func(o *object.Object) bool { return o.Kind == kind && o.Namespace+"/"+o.Name == name })
}

func (c *checks) route(o *object.Object, r *networking.HTTPRoute, path ...any) {
	at := func(more ...any) []any { return append(slices.Clone(path), more...) }
	sum := int32(0)
	for i, d := range r.Route {
		sum += d.Weight
		c.destination(o, d.Destination, at("route", i, "destination")...)
	}
	if len(r.Route) > 1 && sum != 100 {
		c.add(o.At(at("route")...), "the weights of the route %s add up to %d, not 100", r.Name, sum)
	}
	if m := r.Mirror; m != nil {
		c.destination(o, m, at("mirror")...)
	}
	for i, m := range r.Mirrors {
		c.destination(o, m.Destination, at("mirrors", i, "destination")...)
	}
	for i, m := range r.Match {
		if m.SourceLabels != nil && len(c.selected(o.Namespace, m.SourceLabels)) == 0 {
			c.add(o.At(at("match", i, "sourceLabels")...), "no pods in %s have %s", o.Namespace, text(m.SourceLabels))
		}
	}
	c.limits(o, r, at)
}

// limits checks that a route says how long a request may take and how often it is sent, and that the one covers the other.
func (c *checks) limits(o *object.Object, r *networking.HTTPRoute, at func(...any) []any) {
	if r.Redirect != nil || r.DirectResponse != nil {
		return
	}
	if r.Timeout.AsDuration() <= 0 {
		c.add(o.At(at()...), "the route %s has no timeout, so a request may take forever", r.Name)
	}
	retries := r.Retries
	switch {
	case retries == nil:
		c.add(o.At(at()...), "the route %s does not say how often a request is sent: Istio's own default repeats a POST after a 503", r.Name)
	case retries.Attempts > 0 && retries.RetryOn == "":
		c.add(o.At(at("retries")...), "the route %s does not say when a request is sent again: Istio's own default repeats a POST after a 503", r.Name)
	}
	if need := retries.GetPerTryTimeout().AsDuration(); need > 0 {
		need *= time.Duration(1 + retries.GetAttempts())
		if given := r.Timeout.AsDuration(); given < need {
			c.add(o.At(at("timeout")...), "the route %s has %s in all, but its %d attempts of %s each need %s",
				r.Name, given, 1+retries.Attempts, retries.PerTryTimeout.AsDuration(), need)
		}
	}
}

func (c *checks) destination(o *object.Object, d *networking.Destination, path ...any) {
	at := func(more string) []any { return append(slices.Clone(path), more) }
	if !c.host(o, d.GetHost(), at("host")...) {
		return
	}
	h := c.hosts[d.Host]
	if d.Subset != "" && !h.subsets[d.Subset] {
		c.add(o.At(at("subset")...), "%s has no subset %s: %s", d.Host, d.Subset, known(h.subsets))
	}
	if number := d.GetPort().GetNumber(); number != 0 {
		c.port(o, d.Host, int(number), at("port")...)
	} else if len(h.ports) > 1 {
		c.add(o.At(path...), "%s has several ports, and the destination names none", d.Host)
	}
}

func (c *checks) destinationRule(o *object.Object, r *networking.DestinationRule) {
	if !c.host(o, r.Host, "spec", "host") {
		return
	}
	h := c.hosts[r.Host]
	for i, s := range r.Subsets {
		labels := maps.Clone(h.pods)
		maps.Copy(labels, s.Labels)
		if len(c.selected(h.in, labels)) == 0 {
			c.add(o.At("spec", "subsets", i), "the subset %s is of pods with %s, and there are none", s.Name, text(labels))
		}
	}
	for i, p := range r.GetTrafficPolicy().GetPortLevelSettings() {
		c.port(o, r.Host, int(p.GetPort().GetNumber()), "spec", "trafficPolicy", "portLevelSettings", i, "port")
	}
}

// serviceEntry checks what its schema checks in CEL: that a port has one meaning.
func (c *checks) serviceEntry(o *object.Object, e *networking.ServiceEntry) {
	byNumber, byName := map[uint32]bool{}, map[string]bool{}
	for i, p := range e.Ports {
		if byNumber[p.Number] || byName[p.Name] {
			c.add(o.At("spec", "ports", i), "the port %d (%s) stands twice in the %s", p.Number, p.Name, o)
		}
		byNumber[p.Number], byName[p.Name] = true, true
	}
}

// egressHost checks a host as a Sidecar names it: namespace/host.
func (c *checks) egressHost(o *object.Object, name string, path ...any) {
	namespace, h, ok := strings.Cut(name, "/")
	switch {
	case !ok:
		c.add(o.At(path...), "%s is not written as namespace/host", name)
	case h == "*" && namespace == rootNamespace:
	case strings.Contains(name, "*"):
		c.add(o.At(path...), "%s opens more than one host: write each", name)
	case c.host(o, h, path...):
		if namespace == "." {
			namespace = o.Namespace
		}
		if c.hosts[h].in != namespace {
			c.add(o.At(path...), "%s is in the namespace %s", h, c.hosts[h].in)
		}
	}
}

// authorization checks the pods, principals, namespaces and ports that a policy names.
func (c *checks) authorization(o *object.Object, a *security.AuthorizationPolicy) {
	selector := a.GetSelector().GetMatchLabels()
	c.selects(o, selector, "selector", "matchLabels")
	ports := map[int]bool{}
	for _, w := range c.selected(o.Namespace, selector) {
		maps.Copy(ports, w.ports)
	}
	for i, rule := range a.Rules {
		for j, from := range rule.From {
			for k, p := range from.GetSource().GetPrincipals() {
				c.known(o, p, "spec", "rules", i, "from", j, "source", "principals", k)
			}
			for k, ns := range from.GetSource().GetNamespaces() {
				if !c.namespaces[ns] {
					c.add(o.At("spec", "rules", i, "from", j, "source", "namespaces", k), "there is no namespace %s: %s", ns, known(c.namespaces))
				}
			}
		}
		for j, to := range rule.To {
			for k, p := range to.GetOperation().GetPorts() {
				if number, err := strconv.Atoi(p); err != nil || len(ports) > 0 && !ports[number] {
					c.add(o.At("spec", "rules", i, "to", j, "operation", "ports", k), "the pods of the %s have no port %s", o, p)
				}
			}
		}
	}
}

// known checks that a principal is a service account that exists.
func (c *checks) known(o *object.Object, principal string, path ...any) {
	parts := strings.Split(principal, "/")
	switch {
	case len(parts) != 5 || parts[1] != "ns" || parts[3] != "sa" || strings.Contains(principal, "*"):
		c.add(o.At(path...), "the principal %s is not written as <trust domain>/ns/<namespace>/sa/<service account>", principal)
	case parts[0] != c.model.Platform.TrustDomain:
		c.add(o.At(path...), "the principal %s is of another trust domain: that of this platform is %s", principal, c.model.Platform.TrustDomain)
	case !c.accounts[parts[2]+"/"+parts[4]]:
		c.add(o.At(path...), "there is no service account %s in %s, so nobody is %s", parts[4], parts[2], principal)
	}
}

// networkPolicy checks that the peers are there.
func (c *checks) networkPolicy(o *object.Object, p *networkingv1.NetworkPolicy) {
	peers := func(direction string, i int, field string, all []networkingv1.NetworkPolicyPeer) {
		for j, peer := range all {
			at := o.At("spec", direction, i, field, j)
			if n := peer.NamespaceSelector; n != nil {
				if name, names := n.MatchLabels[corev1.LabelMetadataName]; names && !c.namespaces[name] {
					c.add(at, "the %s names the namespace %q, which is not there", o, name)
				}
			}
			if s := peer.PodSelector; s != nil && peer.NamespaceSelector == nil && len(s.MatchExpressions) == 0 && len(c.selected(o.Namespace, s.MatchLabels)) == 0 {
				c.add(at, "the %s names pods with %s, and there are none in %s", o, text(s.MatchLabels), o.Namespace)
			}
		}
	}
	for i, rule := range p.Spec.Ingress {
		peers("ingress", i, "from", rule.From)
	}
	for i, rule := range p.Spec.Egress {
		peers("egress", i, "to", rule.To)
	}
}

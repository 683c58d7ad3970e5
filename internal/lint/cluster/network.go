package cluster

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/trellis-mesh/trellis/internal/lint/object"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// network checks that the network lets through what the mesh does, between services.
func (c *checks) network(s *spec.Service) {
	ns := c.model.Platform.Namespace
	peers := func(caller, callee *spec.Service) {
		in, out := false, false
		each(c, func(o *object.Object, p *networkingv1.NetworkPolicy) {
			if o.Namespace != ns {
				return
			}
			if holds(map[string]string{"app": callee.Name}, p.Spec.PodSelector.MatchLabels) {
				in = in || slices.ContainsFunc(p.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool { return names(r.From, caller.Name) })
			}
			if holds(map[string]string{"app": caller.Name}, p.Spec.PodSelector.MatchLabels) {
				out = out || slices.ContainsFunc(p.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool { return names(r.To, callee.Name) })
			}
		})
		if !in {
			c.add(c.at(c.find("NetworkPolicy", ns, callee.Name), callee), "the network lets in no connection from %s to %s, which is declared", caller.Name, callee.Name)
		}
		if !out {
			c.add(c.at(c.find("NetworkPolicy", ns, caller.Name), caller), "the network lets out no connection from %s to %s, which is declared", caller.Name, callee.Name)
		}
	}
	for _, callee := range c.model.Callees(s.Name) {
		peers(s, callee)
	}
	c.strangers(s)
}

// strangers notes services that the network connects with this one though nothing declares it.
func (c *checks) strangers(s *spec.Service) {
	var callers, callees []string
	for _, caller := range c.model.Callers(s.Name) {
		callers = append(callers, caller.Name)
	}
	for _, callee := range c.model.Callees(s.Name) {
		callees = append(callees, callee.Name)
	}
	switch issuer := c.model.Issuer(); {
	case issuer == s:
		for _, other := range c.model.Services {
			if other.Contract.Secured() {
				callers = append(callers, other.Name)
			}
		}
	case issuer != nil && s.Contract.Secured():
		callees = append(callees, issuer.Name)
	}
	held := map[networkingv1.PolicyType]bool{}
	each(c, func(o *object.Object, p *networkingv1.NetworkPolicy) {
		if o.Namespace != c.model.Platform.Namespace || !holds(map[string]string{"app": s.Name}, p.Spec.PodSelector.MatchLabels) {
			return
		}
		for _, direction := range p.Spec.PolicyTypes {
			held[direction] = true
		}
		check := func(peers []networkingv1.NetworkPolicyPeer, declared []string, direction string, i int) {
			if len(peers) == 0 {
				c.add(o.At("spec", direction, i), "the network connects %s with everybody: the rule names no peers", s.Name)
			}
			for _, peer := range peers {
				c.named(s, o, peer, direction, i)
				if peer.PodSelector == nil || peer.NamespaceSelector != nil {
					continue
				}
				if app := peer.PodSelector.MatchLabels["app"]; !slices.Contains(declared, app) {
					c.add(o.At("spec", direction, i), "the network connects %s with %q, which nothing declares", s.Name, app)
				}
			}
		}
		for i, rule := range p.Spec.Ingress {
			check(rule.From, callers, "ingress", i)
		}
		for i, rule := range p.Spec.Egress {
			check(rule.To, callees, "egress", i)
		}
	})
	c.bounded(s, held)
}

// named checks that a peer of the service is no whole part of the network.
func (c *checks) named(s *spec.Service, o *object.Object, peer networkingv1.NetworkPolicyPeer, direction string, i int) {
	if n := peer.NamespaceSelector; n != nil && n.MatchLabels[corev1.LabelMetadataName] == "" {
		c.add(o.At("spec", direction, i), "the network connects %s with namespaces that are not named", s.Name)
	}
	if peer.IPBlock != nil && (direction == "ingress" || len(s.Externals) == 0) {
		c.add(o.At("spec", direction, i), "the network connects %s with %s, which nothing declares", s.Name, peer.IPBlock.CIDR)
	}
}

// bounded checks that a NetworkPolicy holds for the service's connections in both directions.
func (c *checks) bounded(s *spec.Service, held map[networkingv1.PolicyType]bool) {
	for _, direction := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
		if !held[direction] {
			c.add(c.at(c.find("NetworkPolicy", c.model.Platform.Namespace, s.Name), s), "the network connects %s with everybody: no NetworkPolicy is for its %s", s.Name, direction)
		}
	}
}

func names(peers []networkingv1.NetworkPolicyPeer, app string) bool {
	return slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		return p.PodSelector != nil && p.NamespaceSelector == nil && p.PodSelector.MatchLabels["app"] == app
	})
}

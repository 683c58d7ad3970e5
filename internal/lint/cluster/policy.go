package cluster

import (
	"cmp"
	"slices"
	"strings"

	security "istio.io/api/security/v1beta1"

	"github.com/trellis-mesh/trellis/internal/lint/object"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// conditions notes what a rule asks for that follows from no declaration, and reports whether there is any: what is declared is
// let in under a condition only, or more is let in than the names in the rule say.
func (c *checks) conditions(o *object.Object, rule *security.Rule, to *security.Operation, at spec.Position) bool {
	var all []string
	note := func(field string, values []string) {
		if len(values) > 0 {
			all = append(all, field+": "+strings.Join(values, ", "))
		}
	}
	note("notHosts", to.GetNotHosts())
	note("notPorts", to.GetNotPorts())
	note("notMethods", to.GetNotMethods())
	for _, from := range rule.From {
		source := from.GetSource()
		note("notPrincipals", source.GetNotPrincipals())
		note("notRequestPrincipals", source.GetNotRequestPrincipals())
		note("namespaces", source.GetNamespaces())
		note("notNamespaces", source.GetNotNamespaces())
		note("ipBlocks", source.GetIpBlocks())
		note("notIpBlocks", source.GetNotIpBlocks())
		note("remoteIpBlocks", source.GetRemoteIpBlocks())
		note("notRemoteIpBlocks", source.GetNotRemoteIpBlocks())
		note("serviceAccounts", source.GetServiceAccounts())
		note("notServiceAccounts", source.GetNotServiceAccounts())
	}
	for _, condition := range all {
		c.add(at, "%s asks for %s, which nothing declares", o, condition)
	}
	return len(all) > 0
}

// refused notes declared requests to some pods that a policy refuses: a DENY goes before what lets in. A rule with conditions
// about which nothing is known here is left to traffic: it can only let in less.
func (c *checks) refused(name, namespace string, labels map[string]string, declared []request) {
	slices.SortFunc(declared, func(a, b request) int { return strings.Compare(a.String(), b.String()) })
	each(c, func(o *object.Object, a *security.AuthorizationPolicy) {
		here := o.Namespace == namespace || o.Namespace == rootNamespace
		if !here || a.Action != security.AuthorizationPolicy_DENY || !holds(labels, a.GetSelector().GetMatchLabels()) {
			return
		}
		for i, rule := range a.Rules {
			for _, r := range declared {
				if refuses(rule, r) {
					c.add(o.At("spec", "rules", i), "%s refuses what is declared of %s: %s %s of %s", o, name, r.method, r.path, cmp.Or(r.from, "anybody"))
				}
			}
		}
	})
}

// refuses reports whether a rule of a DENY surely is for a request.
func refuses(rule *security.Rule, r request) bool {
	if len(rule.When) > 0 {
		return false
	}
	from := len(rule.From) == 0 || slices.ContainsFunc(rule.From, func(f *security.Rule_From) bool {
		principals := f.GetSource().GetPrincipals()
		return len(principals) > 0 && slices.ContainsFunc(principals, func(p string) bool { return fits(p, r.from) })
	})
	return from && slices.ContainsFunc(operations(rule), func(to *security.Operation) bool {
		if len(to.GetHosts())+len(to.GetNotHosts())+len(to.GetNotPorts())+len(to.GetNotMethods())+len(to.GetNotPaths()) > 0 {
			return false
		}
		some := func(patterns []string, text string) bool {
			return len(patterns) == 0 || text == "any" || slices.ContainsFunc(patterns, func(p string) bool { return fits(p, text) })
		}
		paths := some(to.GetPaths(), r.path) || slices.ContainsFunc(to.GetPaths(), func(p string) bool { return spec.Overlap(p, r.path) })
		return some(to.GetPorts(), r.port) && some(to.GetMethods(), r.method) && paths
	})
}

// fits matches a text as Istio does: * alone, at the end or at the beginning.
func fits(pattern, text string) bool {
	prefix, ends := strings.CutSuffix(pattern, "*")
	suffix, begins := strings.CutPrefix(pattern, "*")
	switch {
	case ends:
		return strings.HasPrefix(text, prefix)
	case begins:
		return strings.HasSuffix(text, suffix)
	}
	return pattern == text
}

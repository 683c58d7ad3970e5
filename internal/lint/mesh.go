package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// mesh checks what only the mesh makes of a service's declaration.
func (c *checks) mesh(s *spec.Service) {
	if canary := s.Traffic.Canary; canary != nil && canary.Version == s.Traffic.Version {
		c.problems.Add(s.At("traffic.canary.version"), "call it "+spec.NextVersion(s.Traffic.Version), "the canary's version is %s, which is that of the other pods", canary.Version)
	}
	if c.model.Issuer() == nil {
		c.tokenless(s)
	}
}

// tokenless notes the operations that ask for a token where no service issues any: everybody would be refused.
func (c *checks) tokenless(s *spec.Service) {
	remedy := "name the service that issues tokens in platform.yaml: auth: {service: users}; without a name, it is users if that has the operation issueToken"
	for _, id := range operationIDs(s.Contract) {
		op := s.Contract.Operations[id]
		if len(op.Security) == 0 {
			continue
		}
		at := op.Position
		if i := slices.Index(s.Ingress, id); i >= 0 {
			at = s.At(item("ingress", i))
		}
		c.problems.Add(at, remedy, "%s asks for a token, and no service issues any", id)
	}
}

// issuer checks that the issuer of tokens that platform.yaml names is there, and that nobody needs a token to get one.
func (c *checks) issuer() {
	issuer := c.model.Issuer()
	if issuer == nil {
		if name := c.model.Platform.Auth.Service; name != "" {
			var names []string
			for _, s := range c.model.Services {
				names = append(names, s.Name)
			}
			c.problems.Add(spec.Position{File: spec.PlatformFile, Line: 1, Column: 1}, spec.DidYouMean(name, "the services are", names),
				"auth.service is %s, and there is no such service", name)
		}
		return
	}
	for _, id := range operationIDs(issuer.Contract) {
		if op := issuer.Contract.Operations[id]; len(op.Security) > 0 && beforeTokens(op) {
			c.problems.Add(op.Position, "write security: [] with it: an operation without security of its own has that of the whole contract",
				"%s asks for a token, but it is what somebody needs who has none yet", id)
		}
	}
}

// beforeTokens reports whether an operation of the issuer is one that a token is got or verified with.
func beforeTokens(op *spec.Operation) bool {
	last := op.Path[strings.LastIndex(op.Path, "/")+1:]
	return strings.HasPrefix(op.Path, "/.well-known/") || slices.Contains([]string{"issueToken", "login"}, op.ID) || slices.Contains([]string{"token", "login"}, last)
}

// outside checks that the gateway can tell the operations of all services apart: all have the same hosts.
func (c *checks) outside() {
	type entrance struct {
		service *spec.Service
		op      *spec.Operation
	}
	seen := map[string][]entrance{} // by method and number of parts of the path
	for _, s := range c.model.Services {
		for i, id := range s.Ingress {
			op := s.Contract.Operations[id]
			if op == nil {
				continue
			}
			key := fmt.Sprintf("%s %d", op.Method, strings.Count(op.Path, "/"))
			for _, other := range seen[key] {
				if other.service != s && spec.Overlap(op.Path, other.op.Path) {
					c.problems.Add(s.At(item("ingress", i)), "give one of the two another path", "%s %s of %s and %s of %s can be the same request at the gateway",
						op.Method, op.Path, s.Name, other.op.Path, other.service.Name)
				}
			}
			seen[key] = append(seen[key], entrance{s, op})
		}
	}
}

// externals checks that the hosts outside are outside, and that all services that declare one mean the same by it: the mesh has
// one description of a host, for everybody who may reach it.
func (c *checks) externals() {
	type declaration struct {
		spec.External
		service *spec.Service
	}
	seen := map[string]declaration{}
	for _, s := range c.model.Services {
		for i, e := range s.Externals {
			c.isOutside(s, i, e)
			port := inMesh(e)
			key := fmt.Sprintf("%s:%d", e.Host, port)
			first, known := seen[key]
			if !known {
				seen[key] = declaration{e, s}
				continue
			}
			if first.External != e {
				c.problems.Add(s.At(item("externals", i)), sameMeaning(e, first.External, port),
					"%s declares port %d of %s with tls: %s, and %s port %d with tls: %s: in the mesh, both are port %d",
					s.Name, e.Port, e.Host, e.TLS, first.service.Name, first.Port, first.TLS, port)
			}
		}
	}
	for _, s := range c.model.Services {
		c.ownPorts(s)
	}
}

// inMesh is the port of an external that programs use.
func inMesh(e spec.External) int {
	if e.TLS == "originate" {
		return plainPort
	}
	return e.Port
}

// ownPorts checks that the service gets no port of a host that only another one declares.
func (c *checks) ownPorts(s *spec.Service) {
	told := map[string]bool{}
	for i, e := range s.Externals {
		for _, other := range c.model.External(e.Host) {
			for _, theirs := range other.Externals {
				own := slices.ContainsFunc(s.Externals, func(o spec.External) bool { return o.Host == e.Host && inMesh(o) == inMesh(theirs) })
				if theirs.Host == e.Host && !own && !told[e.Host] {
					told[e.Host] = true
					c.problems.Add(s.At(item("externals", i)), "declare the same ports of "+e.Host+" in both, or reach one of them by another name",
						"%s would reach port %d of %s, which only %s declares: the mesh knows a host's ports for all who may reach it", s.Name, theirs.Port, e.Host, other.Name)
				}
			}
		}
	}
}

// isOutside checks that an external is neither a part of the platform nor the sidecar itself.
func (c *checks) isOutside(s *spec.Service, i int, e spec.External) {
	at := s.At(item("externals", i))
	first, last, _ := strings.Cut(e.Host, ".") // a short name in the cluster has two words
	switch {
	case slices.Contains(c.model.Platform.Gateway.Hosts, e.Host):
		c.problems.Add(at, "declare a call instead", "%s is the platform's own gateway", e.Host)
	case last == c.model.Platform.Namespace && c.model.Service(first) != nil || last == "default" || last == "kube-system" || slices.Contains(meshNamespaces, last):
		c.problems.Add(at, "declare a call, or database, cache or events instead", "%s is a name inside the cluster: %s is a namespace", e.Host, last)
	case strings.HasSuffix(e.Host, ".localhost"):
		c.problems.Add(at, "name a host outside the cluster", "%s is this machine", e.Host)
	case e.Port >= firstSidecarPort && e.Port <= lastSidecarPort:
		c.problems.Add(at, "reach the host by another port", "port %d is taken: the sidecar of every pod has %d to %d", e.Port, firstSidecarPort, lastSidecarPort)
	}
}

// The ports that Istio's sidecars listen on: https://istio.io/latest/docs/ops/deployment/application-requirements/.
const firstSidecarPort, lastSidecarPort = 15000, 15090

// sameMeaning is the remedy for two declarations that give a port of a host two meanings.
func sameMeaning(a, b spec.External, port int) string {
	if a.Port == b.Port {
		return "write the same tls in both"
	}
	return fmt.Sprintf("programs reach what the mesh adds TLS to at port %d, so that can be one port of a host: write tls: passthrough for the other, and let the program speak TLS", port)
}

// plainPort is where programs reach a host in the clear when the mesh adds TLS on the way out.
const plainPort = 80

// meshNamespaces are those of the mesh itself.
var meshNamespaces = []string{"istio-system", "istio-ingress", "data", "observability"}

// namespace checks that the services have a namespace of their own.
func (c *checks) namespace() {
	if ns := c.model.Platform.Namespace; slices.Contains(meshNamespaces, ns) {
		c.problems.Add(spec.Position{File: spec.PlatformFile, Line: 1, Column: 1}, "choose another", "the namespace %s is taken: a part of the platform has it", ns)
	}
}

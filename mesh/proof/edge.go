package proof

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// edge is a request that one identity makes of a service, what should come of it and what did.
type edge struct {
	from, to, operation string
	sidecar             outcome // sent as applications send it
	bypass              outcome // sent past the caller's sidecar, with the caller's certificate
}

// String is the request and what came of it.
func (e edge) String() string {
	return fmt.Sprintf("%s -> %s, %s: by its sidecar %s, past it %s", e.from, e.to, e.operation, e.sidecar, e.bypass)
}

// outcome is what is expected of a request and what happened.
type outcome struct{ want, got string }

// What may come of a request, besides a status of HTTP.
const (
	noRoute = "no route" // the caller's sidecar does not know the callee
	refused = "refused"  // the connection came to nothing
	unasked = "-"        // nothing to be sent
)

func (o outcome) ok() bool { return o.want == o.got }

// String is what happened, and what should have when that is something else.
func (o outcome) String() string {
	if o.ok() {
		return o.got
	}
	return fmt.Sprintf("%s, NOT %s", o.got, o.want)
}

// target is a request that a service could be sent.
type target struct {
	name, method, path string
	port               int
	operation          bool // of its contract
}

// targets are the operations of the service, and what else there is on its ports.
func (m *mesh) targets(s *declared) []target {
	var all []target
	for _, o := range s.operations {
		all = append(all, target{o.id, o.method, o.url(), s.HTTP.Port, true})
	}
	all = append(all,
		target{"GET /undeclared", http.MethodGet, "/undeclared", s.HTTP.Port, false},
		target{"GET /health/ready", http.MethodGet, "/health/ready", s.HTTP.Port, false},
		target{metrics, http.MethodGet, "/metrics", adminPort, false},
		target{"GET /debug/pprof/", http.MethodGet, "/debug/pprof/", adminPort, false},
		target{"POST /faults", http.MethodPost, "/faults", adminPort, false},
	)
	if s.Name == m.declared.Auth.Service {
		for _, path := range keyPaths {
			all = append(all, target{http.MethodGet + " " + path, http.MethodGet, path, s.HTTP.Port, false})
		}
	}
	return all
}

// metrics is what Prometheus asks for.
const metrics = "GET /metrics"

// keysPath is where an issuer has the keys of its tokens; what else is said of it is beside them.
const keysPath = "/.well-known/jwks.json"

var keyPaths = []string{keysPath, "/.well-known/openid-configuration"}

// edges asks every service for everything there is, as everybody there is.
func (m *mesh) edges() ([]edge, error) {
	var all []edge
	callers := append([]string{gatewayPod}, m.everybody()...)
	for _, to := range m.declared.services {
		for _, from := range callers {
			if from == to.Name {
				continue
			}
			found, err := m.edge(from, to)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	// Nobody declared anything of the outsider, so nothing lets anybody in.
	undeclared := &declared{Name: outsiderPod}
	undeclared.HTTP.Port = outsiderPort
	for _, from := range callers {
		if from == outsiderPod {
			continue
		}
		found, err := m.edge(from, undeclared)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// edge asks the service for everything, as one caller.
func (m *mesh) edge(from string, to *declared) ([]edge, error) {
	caller := m.caller(from)
	client, err := m.bypass(caller.name, m.mesh, caller.identity)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	known, err := caller.knows(m.declared.host(to.Name))
	if err != nil {
		return nil, err
	}
	var all []edge
	for _, t := range m.targets(to) {
		e := edge{from: from, to: to.Name, operation: t.name, sidecar: outcome{unasked, unasked}}
		e.bypass.want = "403"
		if m.allowed(from, to, t) {
			e.bypass.want = "200"
		}
		e.bypass.got = m.direct(client, to.Name, t).String()
		if !caller.gateway {
			e.sidecar = m.throughSidecar(caller, to, t, known)
		}
		all = append(all, e)
	}
	return all, nil
}

// caller is a pod with the identity of that name.
func (m *mesh) caller(name string) *pod {
	if p := m.pods[name]; p != nil {
		return p
	}
	return m.pods[name+"-0"]
}

// allowed reads the declarations.
func (m *mesh) allowed(from string, to *declared, t target) bool {
	caller := m.declared.service(from)
	switch {
	case t.name == metrics:
		return from == prometheusPod && m.declared.service(to.Name) != nil
	case to.Name == m.declared.Auth.Service && t.method == http.MethodGet && slices.Contains(keyPaths, t.path) &&
		(from == gatewayPod || caller != nil && caller.secured()):
		return true // whoever verifies tokens needs the keys
	case !t.operation:
		return false
	case from == gatewayPod:
		return to.reachable(t.name)
	}
	return caller != nil && caller.calls(to.Name, t.name)
}

// direct sends the request to a pod of the service.
func (m *mesh) direct(client *http.Client, service string, t target) answer {
	url := fmt.Sprintf("https://%s:%d%s", m.declared.host(service), t.port, t.path)
	return request{method: t.method, url: url, to: m.address(service, t.port)}.send(client)
}

// address is where the first pod of the service listens.
func (m *mesh) address(service string, port int) netip.AddrPort {
	return netip.AddrPortFrom(m.caller(service).net.address, uint16(port)) //nolint:gosec // a port
}

// throughSidecar sends the request as the caller's application would.
func (m *mesh) throughSidecar(caller *pod, to *declared, t target, known bool) outcome {
	o := outcome{want: noRoute}
	from := m.declared.service(caller.labels["app"])
	switch {
	case m.allowed(caller.labels["app"], to, t) && from != nil:
		o.want = "200"
	case from != nil && m.reaches(from, to):
		o.want = "403"
	}
	before := m.count(to.Name, "", "/")
	a := m.send(caller.name, t.method, m.declared.host(to.Name), t.port, t.path)
	arrived := m.count(to.Name, "", "/") != before
	switch {
	case !known && !arrived && (a.err != nil || a.status == http.StatusBadGateway):
		o.got = noRoute
	case known && !arrived && a.err != nil:
		o.got = refused
	default:
		o.got = a.String()
	}
	return o
}

// reaches reports whether the caller has any business with the callee.
func (m *mesh) reaches(from, to *declared) bool {
	return len(from.Calls[to.Name].Operations) > 0 || to.Name == m.declared.Auth.Service && from.secured()
}

// knows reports whether the pod's proxy was told of the host.
func (p *pod) knows(host string) (bool, error) {
	page, err := p.envoy.page("/clusters")
	if err != nil {
		return false, fmt.Errorf("ask the Envoy of %s for its clusters: %w", p.name, err)
	}
	return strings.Contains(page, "|"+host+"::"), nil
}

// strangers are connections to every service that must not come to be, each with what it tries.
func (m *mesh) strangers() ([]edge, error) {
	var all []edge
	foreign, err := newAuthority("foreign")
	if err != nil {
		return nil, err
	}
	elsewhere := *m.declared
	elsewhere.TrustDomain = "elsewhere.test"
	for _, to := range m.declared.services {
		account := to.Name
		if callers := m.callers(to.Name); len(callers) > 0 {
			account = callers[0] // who is let in, were it not for the certificate
		}
		outside, err := m.bypass(strangerPod, foreign, m.declared.spiffe(m.declared.Namespace, account))
		if err != nil {
			return nil, err
		}
		other, err := m.bypass(strangerPod, m.mesh, elsewhere.spiffe(m.declared.Namespace, account))
		if err != nil {
			return nil, err
		}
		for _, t := range []target{{"the API", http.MethodGet, "/", to.HTTP.Port, false}, {"the admin port", http.MethodGet, "/metrics", adminPort, false}} {
			plain := request{
				method: t.method, url: fmt.Sprintf("http://%s:%d%s", m.declared.host(to.Name), t.port, t.path), to: m.address(to.Name, t.port),
			}
			for _, tried := range []struct {
				from string
				got  answer
			}{
				{"plaintext", plain.send(m.pods[strangerPod].http)},
				{"another root's certificate", m.direct(outside, to.Name, t)},
				{"another trust domain's certificate", m.direct(other, to.Name, t)},
			} {
				all = append(all, edge{tried.from, to.Name, t.name, outcome{unasked, unasked}, outcome{refused, tried.got.String()}})
			}
		}
	}
	return all, nil
}

// count is how many requests arrived at any pod of the service: see backend.count.
func (m *mesh) count(service, method, prefix string) int {
	n := 0
	for _, p := range m.replicas(service) {
		n += p.app.count(method, prefix)
	}
	return n
}

// replicas are the pods of the service, of all versions.
func (m *mesh) replicas(service string) []*pod {
	var all []*pod
	for _, name := range slices.Sorted(maps.Keys(m.pods)) {
		if p := m.pods[name]; p.labels["app"] == service && p.namespace == m.declared.Namespace {
			all = append(all, p)
		}
	}
	return all
}

// callers are the services that call the callee.
func (m *mesh) callers(callee string) []string {
	var all []string
	for _, s := range m.declared.services {
		if len(s.Calls[callee].Operations) > 0 {
			all = append(all, s.Name)
		}
	}
	return all
}

package proof

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// plainPort is where applications speak to a host outside in the clear, and their sidecar adds TLS.
const plainPort = 80

// stores asks for every store as everybody, by the sidecar and past it.
func (m *mesh) storeEdges() ([]edge, error) {
	var all []edge
	for store, port := range storePorts {
		p := m.pods[store]
		if p == nil {
			continue
		}
		for _, from := range m.everybody() {
			caller := m.caller(from)
			s := m.declared.service(from)
			declared := s != nil && slices.Contains(s.stores(), store)
			client, err := m.bypass(caller.name, m.mesh, caller.identity)
			if err != nil {
				return nil, err
			}
			past := request{method: http.MethodGet, url: "https://" + store + "/", to: m.address(store, int(port))}.send(client)
			client.CloseIdleConnections()
			through := m.send(caller.name, http.MethodGet, host(store, dataNamespace), int(port), "/")
			e := edge{from, store, "connect", outcome{noRoute, through.String()}, outcome{refused, past.String()}}
			if declared {
				e.sidecar.want, e.bypass.want = "200", "200"
			}
			known, err := caller.knows(host(store, dataNamespace))
			if err != nil {
				return nil, err
			}
			if !known && through.err != nil {
				e.sidecar.got = noRoute
			}
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b edge) int { return strings.Compare(a.to+" "+a.from, b.to+" "+b.from) })
	return all, nil
}

// everybody are the names of those who run an application in the mesh and are no store.
func (m *mesh) everybody() []string {
	all := []string{prometheusPod, outsiderPod}
	for _, s := range m.declared.services {
		all = append(all, s.Name)
	}
	return all
}

// external is a host outside the mesh that some service declared.
type external struct {
	name    string
	port    int
	tls     string
	allowed []string
}

func (m *mesh) externals() []external {
	var all []external
	for _, s := range m.declared.services {
		for _, e := range s.Externals {
			i := slices.IndexFunc(all, func(x external) bool { return x.name == e.Host && x.port == e.Port && x.tls == e.TLS })
			if i < 0 {
				i, all = len(all), append(all, external{name: e.Host, port: e.Port, tls: e.TLS})
			}
			all[i].allowed = append(all[i].allowed, s.Name)
		}
	}
	return all
}

// egress asks for hosts outside as everybody: for the declared ones, and for one that nobody declared.
func (m *mesh) egress() ([]edge, error) {
	var all []edge
	undeclared := external{name: "undeclared.test", port: 443, tls: "originate"}
	secretly := external{name: "undeclared.test", port: 443, tls: "passthrough"}
	for _, e := range append(m.externals(), undeclared, secretly) {
		for _, from := range m.everybody() {
			caller := m.caller(from)
			o := outcome{want: noRoute}
			if slices.Contains(e.allowed, from) {
				o.want = "200 by TLS"
				if e.name == impostor {
					o.want = "503" // the sidecar looks at whom it speaks to
				}
			}
			known, err := caller.knows(e.name)
			if err != nil {
				return nil, err
			}
			a := m.leave(caller, e)
			switch server := m.pods[e.name]; {
			case !known && (a.err != nil || a.status == http.StatusBadGateway):
				o.got = noRoute
			case a.status == http.StatusOK && server != nil:
				o.got = "200"
				if last, ok := server.app.last(); ok && last.server == e.name {
					o.got = "200 by TLS"
				}
			default:
				o.got = a.String()
			}
			all = append(all, edge{from, fmt.Sprintf("%s:%d", e.name, e.port), e.tls, o, outcome{unasked, unasked}})
		}
	}
	return all, nil
}

// leave sends a request to the host as an application would: in the clear where the mesh adds TLS, or by TLS of its own.
func (m *mesh) leave(caller *pod, e external) answer {
	if e.tls == "originate" {
		return m.send(caller.name, http.MethodGet, e.name, plainPort, "/v1/things")
	}
	client := caller.client(&tls.Config{RootCAs: m.public.pool(), MinVersion: tls.VersionTLS12})
	defer client.CloseIdleConnections()
	to := netip.AddrPortFrom(outsideAddress, uint16(e.port)) //nolint:gosec // a port
	return request{method: http.MethodGet, url: fmt.Sprintf("https://%s:%d/v1/things", e.name, e.port), to: to}.send(client)
}

package proof

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// visit is a request from outside, what should come of it and what did.
type visit struct {
	token, service, operation string
	outcome
}

// String is the request and what came of it.
func (v visit) String() string {
	return fmt.Sprintf("%s of %s with a token %s: %s", v.operation, v.service, v.token, v.outcome)
}

// tokens are what visitors show, by what is right or wrong with it.
func (m *mesh) tokens(own *issuer) (map[string]string, error) {
	foreign, err := newIssuer("https://elsewhere.test", own.audience)
	if err != nil {
		return nil, err
	}
	forged, err := newIssuer(own.name, own.audience)
	if err != nil {
		return nil, err
	}
	astray := *own
	astray.audience = "another-api"
	all := map[string]string{"none": ""}
	for _, made := range []struct {
		name  string
		by    *issuer
		scope string
		valid time.Duration
	}{
		{"expired", own, m.scopes(), -time.Hour}, // Envoy allows for clocks that differ by a minute
		{"of a foreign issuer", foreign, m.scopes(), time.Minute},
		{"signed by another", forged, m.scopes(), time.Minute},
		{"for another audience", &astray, m.scopes(), time.Minute},
		{"without the scope", own, "something:else", time.Minute},
		{"right", own, m.scopes(), time.Minute},
	} {
		if all[made.name], err = made.by.token(made.scope, made.valid); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// scopes are all that any contract asks for.
func (m *mesh) scopes() string {
	var all []string
	for _, s := range m.declared.services {
		for _, o := range s.operations {
			for _, needed := range o.scopes {
				all = append(all, needed...)
			}
		}
	}
	return strings.Join(all, " ")
}

// visits asks the gateway for every operation of every service, with every token.
func (m *mesh) visits() ([]visit, error) {
	own, err := newIssuer(m.declared.Auth.Issuer, m.declared.Auth.Audience)
	if err != nil {
		return nil, err
	}
	if p := m.caller(m.declared.Auth.Service); p != nil {
		p.app.behave(own.serveKeys)
		defer p.app.behave(nil)
	}
	tokens, err := m.tokens(own)
	if err != nil {
		return nil, err
	}
	client := m.visitor()
	defer client.CloseIdleConnections()
	var all []visit
	for _, s := range m.declared.services {
		for _, o := range s.operations {
			for _, name := range []string{"none", "expired", "of a foreign issuer", "signed by another", "for another audience", "without the scope", "right"} {
				answering, answers := m.declared.outside(s, o)
				v := visit{name, s.Name, o.id, outcome{want: m.welcome(answering, answers, name)}}
				before := m.count(answering.Name, "", "/")
				v.got = m.visit(client, m.declared.Gateway.Hosts[0], o.method, o.url(), tokens[name]).String()
				if v.got == "200" && m.count(answering.Name, "", "/") == before {
					v.got = "200, not by " + answering.Name
				}
				all = append(all, v)
			}
		}
	}
	return all, nil
}

// welcome is what the declarations say of a request from outside.
func (m *mesh) welcome(s *declared, o operation, token string) string {
	issued := m.declared.Auth.Service != ""
	switch {
	case issued && (token == "expired" || token == "of a foreign issuer" || token == "signed by another"):
		return "401" // whatever is asked for: a wrong token is never right
	case issued && token == "for another audience":
		return "403"
	case !s.reachable(o.id):
		return "403"
	case len(o.scopes) > 0 && token != "right":
		return "403"
	}
	return "200"
}

// visitor is somebody outside, who trusts the gateway's certificate.
func (m *mesh) visitor() *http.Client {
	return m.pods[strangerPod].client(&tls.Config{RootCAs: m.public.pool(), MinVersion: tls.VersionTLS12})
}

func (m *mesh) visit(client *http.Client, host, method, path, token string) answer {
	r := request{
		method: method, url: fmt.Sprintf("https://%s%s", host, path), to: netip.AddrPortFrom(m.pods[gatewayPod].net.address, 443),
		header: map[string]string{},
	}
	if token != "" {
		r.header["Authorization"] = "Bearer " + token
	}
	return r.send(client)
}

// sentToHTTPS asks the gateway in the clear, and by TLS for a host that is not the platform's.
func (m *mesh) sentToHTTPS() error {
	host := m.declared.Gateway.Hosts[0]
	r := request{method: http.MethodGet, url: "http://" + host + "/v1/things", to: netip.AddrPortFrom(m.pods[gatewayPod].net.address, 80)}
	a := r.send(m.pods[strangerPod].http)
	if to := a.header.Get("Location"); a.status != http.StatusMovedPermanently || to != "https://"+host+"/v1/things" {
		return fmt.Errorf("%w: a request in the clear got %s and was sent to %q", errWrong, a.detail(), to)
	}
	client := m.visitor()
	defer client.CloseIdleConnections()
	if a := m.visit(client, "other.test", http.MethodGet, "/v1/things", ""); a.err == nil {
		return fmt.Errorf("%w: a request for a host that is not the platform's got %s", errWrong, a)
	}
	return nil
}

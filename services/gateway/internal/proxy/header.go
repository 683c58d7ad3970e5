package proxy

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
)

// hopByHop are the headers that belong to one connection (RFC 9110, section 7.6.1, and those that older proxies send). Whatever
// Connection names does, too.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func dropHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(textproto.TrimString(name))
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
}

// neverOnward are headers of a client that no callee gets: those that the chassis' client says itself, those of the gateway's own
// versions, and the net/http client's.
var neverOnward = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Api-Version": true, "Authorization": true, "Baggage": true, "Content-Length": true,
	"Expect": true, "Forwarded": true, "Host": true, "Traceparent": true, "Tracestate": true, "X-Correlation-Id": true,
	"X-Real-Ip": true, "X-Request-Id": true,
}

// neverBack are headers of a callee that no client gets: they speak of the callee's paths, versions, limits, or of its place in the mesh.
// The ids are in the answer already.
var neverBack = map[string]bool{
	"Alt-Svc": true, "Content-Length": true, "Content-Location": true, "Date": true, "Deprecation": true, "Link": true, "Server": true,
	"Sunset": true, "Traceparent": true, "Tracestate": true, "Via": true, "X-Correlation-Id": true, "X-Powered-By": true, "X-Request-Id": true,
}

// internalHeader tells whether a header is said between proxies or services only.
func internalHeader(name string) bool {
	return strings.HasPrefix(name, "X-Envoy-") || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-B3-") ||
		strings.HasPrefix(name, "X-Ratelimit-") || strings.HasPrefix(name, "X-Istio-")
}

func without(h http.Header, dropped map[string]bool) http.Header {
	h = h.Clone()
	dropHopByHop(h)
	for name := range h {
		if dropped[name] || internalHeader(name) {
			delete(h, name)
		}
	}
	return h
}

// onward are the headers that the callee gets. The client's address is the one that can be trusted, and the only one.
func onward(r *http.Request) http.Header {
	h := without(r.Header, neverOnward)
	h.Set("Accept", "application/json")
	h.Set("X-Forwarded-Host", r.Host)
	h.Set("X-Forwarded-Proto", scheme(r))
	if addr := httpserver.ClientAddr(r.Context()); addr.IsValid() {
		h.Set("X-Forwarded-For", addr.String())
	}
	return h
}

// scheme is how the client came: as the connection says, or the proxy at its other end, if that is one whose word on the client's
// address was taken.
func scheme(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	throughProxy := err == nil && httpserver.ClientAddr(r.Context()) != peer.Addr().Unmap().WithZone("")
	if said := r.Header["X-Forwarded-Proto"]; throughProxy && len(said) == 1 && (said[0] == "http" || said[0] == "https") {
		return said[0]
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// back are the headers that the client gets. A path of the callee's is one of ours where it has one, and is left out otherwise.
func back(h http.Header) http.Header {
	location := h.Get("Location")
	h = without(h, neverBack)
	h.Del("Location")
	if path, ok := strings.CutPrefix(location, "/v1/"); ok {
		h.Set("Location", "/api/"+path)
	}
	return h
}

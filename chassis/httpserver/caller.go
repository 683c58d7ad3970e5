package httpserver

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// The headers that say who calls, in canonical form. The mesh's sidecars tell the certificate that the caller has shown. Outside a
// mesh package httpclient says it by the header that Envoy has for that; anybody may write there what he likes, so it serves
// to tell requests apart, and for nothing else.
const (
	headerClientCert = "X-Forwarded-Client-Cert"
	headerCaller     = "X-Envoy-Downstream-Service-Cluster"
)

// Callers that have no name of their own in metrics.
const (
	unknownCaller = "unknown" // nobody said
	otherCaller   = "other"   // there are more callers than maxCallers
)

// maxCallers bounds the values of the label caller, whatever clients send.
const maxCallers = 64

// caller names who made the request: the service account of its certificate, after its namespace where that is another one than
// this service's own, such as istio-ingress/gateway.
func caller(h http.Header) string {
	if certificates := h[headerClientCert]; len(certificates) > 0 {
		last := certificates[len(certificates)-1] // each hop appends
		last = last[strings.LastIndex(last, ",By=")+1:]
		namespace, account := identity(last, "URI=")
		if !label(account) || !label(namespace) {
			return unknownCaller
		}
		if own, _ := identity(last, "By="); own != namespace {
			return namespace + "/" + account
		}
		return account
	}
	if name := first(h[headerCaller]); label(name) {
		return name
	}
	return unknownCaller
}

// identity reads spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT in a field of X-Forwarded-Client-Cert.
func identity(certificate, field string) (namespace, account string) {
	_, value, _ := strings.Cut(certificate, field)
	value, _, _ = strings.Cut(value, ";")
	_, path, _ := strings.Cut(value, "/ns/")
	namespace, account, _ = strings.Cut(path, "/sa/")
	return namespace, account
}

// label tells whether s is a DNS label, as the names of services, accounts and namespaces are.
func label(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// callers numbers those who have called, so that an operation finds its counters by number. The map is replaced, never changed.
type callers struct {
	known  atomic.Pointer[map[string]int]
	adding sync.Mutex
}

func (c *callers) init() { c.known.Store(&map[string]int{unknownCaller: 0, otherCaller: 1}) }

// number gives the number of who made the request, and the value of the label.
func (c *callers) number(h http.Header) (int, string) {
	name := caller(h)
	if n, ok := (*c.known.Load())[name]; ok {
		return n, name
	}
	c.adding.Lock()
	defer c.adding.Unlock()
	known := *c.known.Load()
	if n, ok := known[name]; ok {
		return n, name
	}
	if len(known) == maxCallers {
		return known[otherCaller], otherCaller
	}
	grown := maps.Clone(known)
	grown[name] = len(known)
	c.known.Store(&grown)
	return len(known), name
}

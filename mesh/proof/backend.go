package proof

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Headers of an answer: which pod gave it, and the version on its label.
const (
	podHeader     = "X-Pod"
	versionHeader = "X-Version"
)

// backend is the application of a pod. It answers every request with 200 unless it was told otherwise, and remembers each.
type backend struct {
	pod, version string
	server       *http.Server
	behaviour    atomic.Pointer[http.HandlerFunc]

	mu   sync.Mutex
	seen []seen
}

// seen is a request that arrived.
type seen struct {
	method, path string
	uri          string // the path as it was sent
	server       string // that the client named in TLS; empty without TLS
	header       http.Header
}

// serveBackend answers on the listeners until close is called.
func serveBackend(pod, version string, listeners ...net.Listener) *backend {
	b := &backend{pod: pod, version: version}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, Protocols: &http.Protocols{}}
	b.server.Protocols.SetHTTP1(true)
	b.server.Protocols.SetUnencryptedHTTP2(true)
	for _, l := range listeners {
		go func() { _ = b.server.Serve(l) }()
	}
	return b
}

func (b *backend) close() { _ = b.server.Close() }

// behave makes the backend answer so from now on; nil is 200 again.
func (b *backend) behave(h http.HandlerFunc) {
	if h == nil {
		b.behaviour.Store(nil)
		return
	}
	b.behaviour.Store(&h)
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := seen{method: r.Method, path: r.URL.Path, uri: r.RequestURI, header: r.Header.Clone()}
	if r.TLS != nil {
		s.server = r.TLS.ServerName
	}
	b.mu.Lock()
	b.seen = append(b.seen, s)
	b.mu.Unlock()
	w.Header().Set(podHeader, b.pod)
	w.Header().Set(versionHeader, b.version)
	if h := b.behaviour.Load(); h != nil {
		(*h)(w, r)
	}
}

// count is how many requests of the method arrived for paths that begin so; an empty method is any.
func (b *backend) count(method, prefix string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, s := range b.seen {
		if (method == "" || s.method == method) && strings.HasPrefix(s.path, prefix) {
			n++
		}
	}
	return n
}

// last is the latest request, if there was any.
func (b *backend) last() (seen, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.seen) == 0 {
		return seen{}, false
	}
	return b.seen[len(b.seen)-1], true
}

// forget makes the count begin at nothing.
func (b *backend) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = nil
}

// Behaviours of backends.

// always answers with the status.
func always(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// never answers; it holds the request until the caller gives up.
func never(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// inTurn answers with one status after the other, counted over all backends that share it.
func inTurn(codes ...int) http.HandlerFunc {
	var n atomic.Int64
	codes = slices.Clone(codes)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(codes[int(n.Add(1)-1)%len(codes)])
	}
}

// hangUp closes the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

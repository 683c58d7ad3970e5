// Package sink receives traces over OTLP/HTTP and counts the spans of each service. It stands for the collector, so that
// every compared server really exports.
package sink

import (
	"compress/gzip"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const maxBody = 16 << 20

// Sink is a running receiver.
type Sink struct {
	// Addr is its host:port.
	Addr string

	server *http.Server
	mu     sync.Mutex
	spans  map[string]int
}

// Start listens on a free loopback port.
func Start() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{Addr: listener.Addr().String(), spans: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", s.receive)
	// What a server exports besides traces is accepted and forgotten.
	mux.HandleFunc("POST /", func(http.ResponseWriter, *http.Request) {})
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// Close stops the receiver.
func (s *Sink) Close() error { return s.server.Close() }

// Spans returns how many spans came from each service.name so far.
func (s *Sink) Spans() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.spans)
}

func (s *Sink) receive(w http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var export collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &export); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range export.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			s.spans[serviceName(resource)] += len(scope.GetSpans())
		}
	}
}

func read(r *http.Request) ([]byte, error) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	return io.ReadAll(io.LimitReader(body, maxBody))
}

func serviceName(spans *trace.ResourceSpans) string {
	for _, attribute := range spans.GetResource().GetAttributes() {
		if attribute.GetKey() == "service.name" {
			return attribute.GetValue().GetStringValue()
		}
	}
	return ""
}

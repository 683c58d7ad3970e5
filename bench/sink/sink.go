// Package sink receives traces and log records over OTLP/HTTP and counts those of each service. It stands for the collector, so that
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

	logcollector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

const maxBody = 16 << 20

// Sink is a running receiver.
type Sink struct {
	// Addr is its host:port.
	Addr string

	server  *http.Server
	mu      sync.Mutex
	spans   map[string]int
	records map[string]int
}

// Start listens on a free loopback port.
func Start() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{Addr: listener.Addr().String(), spans: map[string]int{}, records: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", s.receiveSpans)
	mux.HandleFunc("POST /v1/logs", s.receiveRecords)
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

// Records returns how many log records came from each service.name so far.
func (s *Sink) Records() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.records)
}

func (s *Sink) receiveSpans(w http.ResponseWriter, r *http.Request) {
	var export collector.ExportTraceServiceRequest
	if !decode(w, r, &export) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range export.GetResourceSpans() {
		for _, scope := range of.GetScopeSpans() {
			s.spans[serviceName(of.GetResource())] += len(scope.GetSpans())
		}
	}
}

func (s *Sink) receiveRecords(w http.ResponseWriter, r *http.Request) {
	var export logcollector.ExportLogsServiceRequest
	if !decode(w, r, &export) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range export.GetResourceLogs() {
		for _, scope := range of.GetScopeLogs() {
			s.records[serviceName(of.GetResource())] += len(scope.GetLogRecords())
		}
	}
}

// decode reads a request, or refuses it.
func decode(w http.ResponseWriter, r *http.Request, into proto.Message) bool {
	body, err := read(r)
	if err == nil {
		err = proto.Unmarshal(body, into)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
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

func serviceName(of *resource.Resource) string {
	for _, attribute := range of.GetAttributes() {
		if attribute.GetKey() == "service.name" {
			return attribute.GetValue().GetStringValue()
		}
	}
	return ""
}

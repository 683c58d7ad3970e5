package otlp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Options bounds what a Sink keeps. Zero fields mean the defaults.
type Options struct {
	Traces int   // the last traces kept; default 1000
	Spans  int   // spans kept of one trace; default 2000
	Logs   int   // the last log records kept; default 20000
	Body   int64 // bytes of one export request when unpacked; default 16 MiB
}

// Sink is an http.Handler that receives traces and log records and shows them:
//
//	POST /v1/traces, /v1/logs         OTLP export, protobuf, plain or gzip
//	GET  /traces?service=&limit=      summaries, the newest first
//	GET  /traces/{id}                 the spans, in order of start
//	GET  /traces/{id}?format=tree     the same as a text tree
//	GET  /logs?trace=&service=        the log records, the oldest first
type Sink struct {
	options Options
	store   *store
	logs    *records
	mux     *http.ServeMux
}

// NewSink makes an empty sink.
func NewSink(o Options) *Sink {
	o.Traces = cmp.Or(o.Traces, 1000)
	o.Spans = cmp.Or(o.Spans, 2000)
	o.Body = cmp.Or(o.Body, 16<<20)
	o.Logs = cmp.Or(o.Logs, 20000)
	s := &Sink{options: o, store: newStore(o.Traces, o.Spans), logs: &records{most: o.Logs}, mux: http.NewServeMux()}
	s.mux.HandleFunc("POST /v1/traces", s.export)
	s.mux.HandleFunc("POST /v1/logs", s.exportLogs)
	s.mux.HandleFunc("GET /logs", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, s.Logs(r.URL.Query().Get("trace"), r.URL.Query().Get("service")))
	})
	s.mux.HandleFunc("GET /traces", s.list)
	s.mux.HandleFunc("GET /traces/{id}", s.get)
	return s
}

// ServeHTTP answers exporters and readers.
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// List returns the newest traces first, only those with a span of service unless it is empty; limit 0 means all.
func (s *Sink) List(service string, limit int) []Trace { return s.store.list(service, limit) }

// Trace returns the trace of that id, in hex.
func (s *Sink) Trace(id string) (Trace, bool) { return s.store.trace(id) }

// Wait returns the newest trace that want accepts, waiting for it to arrive until ctx ends.
func (s *Sink) Wait(ctx context.Context, want func(Trace) bool) (Trace, error) {
	return s.store.wait(ctx, want)
}

// Logs returns the records kept, the oldest first, only those of that trace and of that service unless they are empty.
func (s *Sink) Logs(trace, service string) []Record { return s.logs.list(trace, service) }

func (s *Sink) export(w http.ResponseWriter, r *http.Request) {
	var req traces.ExportTraceServiceRequest
	if s.take(w, r, &req) {
		s.store.add(spansByTrace(&req))
		reply(w, &traces.ExportTraceServiceResponse{})
	}
}

func (s *Sink) exportLogs(w http.ResponseWriter, r *http.Request) {
	var req logs.ExportLogsServiceRequest
	if s.take(w, r, &req) {
		s.logs.add(recordsOf(&req))
		reply(w, &logs.ExportLogsServiceResponse{})
	}
}

// take reads an export request, or answers why it cannot.
func (s *Sink) take(w http.ResponseWriter, r *http.Request, into proto.Message) bool {
	err := decode(r, s.options.Body, into)
	switch {
	case errors.Is(err, errEncoding):
		http.Error(w, err.Error(), http.StatusUnsupportedMediaType)
	case errors.Is(err, errTooLarge):
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func reply(w http.ResponseWriter, message proto.Message) {
	answer, err := proto.Marshal(message)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer)
}

func (s *Sink) list(w http.ResponseWriter, r *http.Request) {
	limit := 100
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			http.Error(w, "limit: want a number from 1 up", http.StatusBadRequest)
			return
		}
		limit = n
	}
	sums := []Summary{}
	for _, t := range s.List(r.URL.Query().Get("service"), limit) {
		sums = append(sums, t.Summary())
	}
	writeJSON(w, sums)
}

func (s *Sink) get(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Trace(r.PathValue("id"))
	if !ok {
		http.Error(w, "no such trace: GET /traces lists the ones kept", http.StatusNotFound)
		return
	}
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		writeJSON(w, t)
	case "tree":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(t.Tree()))
	default:
		http.Error(w, "format: want json or tree", http.StatusBadRequest)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the only errors left are of the connection
}

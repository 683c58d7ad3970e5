//go:build real

package observe

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/trellis-mesh/trellis/internal/local/otlp"
)

// wire stands between the services and the collector, and knows all that was sent, before anything is left out.
type wire struct {
	URL   string
	spans *otlp.Sink

	collector string
	client    http.Client
	secrets   *secrets
}

// newWire sends on what it gets to the collector at a port.
func newWire(t *testing.T, collector int, s *secrets) *wire {
	t.Helper()
	w := &wire{spans: otlp.NewSink(otlp.Options{Traces: 1 << 20, Spans: 1 << 16}), collector: fmt.Sprintf("http://127.0.0.1:%d", collector), secrets: s}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

func (w *wire) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = w.look(r, body)
	}
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	on, err := http.NewRequestWithContext(r.Context(), r.Method, w.collector+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
		return
	}
	on.Header = r.Header.Clone()
	resp, err := w.client.Do(on)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	answer.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	answer.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(answer, resp.Body) // the service is gone
}

// look remembers the spans, and searches for what nobody may see.
func (w *wire) look(r *http.Request, body []byte) error {
	plain := body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return err
		}
		if plain, err = io.ReadAll(unpacked); err != nil {
			return err
		}
	}
	w.secrets.search(strings.TrimPrefix(r.URL.Path, "/v1/"), plain)
	if r.URL.Path != "/v1/traces" {
		return nil
	}
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	w.spans.ServeHTTP(httptest.NewRecorder(), copied)
	return nil
}

// secrets are what must stand in no log and in no span, and whether the search for them works.
type secrets struct {
	mu     sync.Mutex
	tokens []string
	seen   map[string]int // bytes searched, by where
	found  []string
}

// address is of an e-mail, as people have them in the play.
var address = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.(example|com|org|net|test)\b`)

// cards are the numbers of the test cards, in one piece or in groups of four.
var cards = regexp.MustCompile(`\b4(111[ -]?1111[ -]?1111[ -]?1111|000[ -]?0000[ -]?0000[ -]?[0-9]{4})\b`)

func newSecrets(tokens ...string) *secrets { return &secrets{tokens: tokens, seen: map[string]int{}} }

// search looks through a text of somewhere.
func (s *secrets) search(where string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[where] += len(text)
	for _, pattern := range []*regexp.Regexp{address, cards} {
		for _, at := range pattern.FindAllIndex(text, 3) {
			s.report(where, text, at[0], at[1])
		}
	}
	for _, token := range s.tokens {
		if i := bytes.Index(text, []byte(token)); i >= 0 {
			s.report(where, text, i, i+len(token))
		}
	}
}

// report keeps the first finds, each with what stands around it.
func (s *secrets) report(where string, text []byte, from, to int) {
	if len(s.found) < 20 {
		s.found = append(s.found, where+": "+string(bytes.ToValidUTF8(text[max(0, from-120):min(len(text), to+60)], []byte("?"))))
	}
}

func (s *secrets) result() (seen map[string]int, found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.found
}

package contractfuzz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// callees stand in for the services that are called. How they behave is chosen anew for each request to the service.
type callees struct {
	mu      sync.Mutex
	conduct choices
	asked   time.Time // when one was last asked for something
	strayed bool      // one was not honest since behave was called
}

// behave says how the callees behave from now on. Without choices they do as they should.
func (s *callees) behave(c choices) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conduct, s.strayed = c, false
}

// haveStrayed reports whether a callee was not honest since behave was called.
func (s *callees) haveStrayed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strayed
}

// lately is how long a service may be upset by a callee: its circuit breaker stays open that long.
const lately = time.Minute

// askedLately reports whether a callee may have given the service reason to answer that it cannot. Even an honest one may: what the
// contract allows need not make sense.
func (s *callees) askedLately() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.asked.IsZero() && time.Since(s.asked) < lately
}

// next is how the callee that is asked behaves, and what else it decides.
func (s *callees) next() (kind int, c choices) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = time.Now()
	kind = s.conduct.below(256)
	s.strayed = s.strayed || kind >= honest
	return kind, s.conduct
}

// honest choices, of 256, have a callee answer as it should. Most do, so that circuit breakers stay closed.
const honest = 176

// serve starts a server that answers as the contract says, more or less. Where there is a double, it answers when the callee is honest.
func (s *callees) serve(contract []byte, double http.Handler) (*httptest.Server, error) {
	all, err := operations(contract)
	if err != nil {
		return nil, err
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, op := range all {
			values, ok := op.matches(r.Method, r.URL.Path)
			if !ok {
				continue
			}
			kind, c := s.next()
			if kind < honest && double != nil {
				r.Body = io.NopCloser(bytes.NewReader(body))
				double.ServeHTTP(w, r)
				return
			}
			answer(w, op, echoes(values, body), kind, c)
			return
		}
		http.Error(w, "no such operation", http.StatusNotFound)
	})), nil
}

// echoes are what an answer repeats of its request: the parameters of the path, a single one of them as the id, and the fields of the
// body.
func echoes(values map[string]string, body []byte) map[string]json.RawMessage {
	fixed := map[string]json.RawMessage{}
	_ = json.Unmarshal(body, &fixed) // what is no object has no fields
	for name, value := range values {
		text, _ := json.Marshal(value) // never fails for a string
		fixed[name] = text
		if len(values) == 1 {
			fixed["id"] = text
		}
	}
	return fixed
}

func answer(w http.ResponseWriter, op *operation, fixed map[string]json.RawMessage, kind int, c choices) {
	switch {
	case kind < honest:
		respond(w, op, &author{fixed: fixed})
	case kind < honest+20: // true to the contract, and strange
		respond(w, op, &author{choices: c})
	case kind < honest+30: // almost true to it
		respond(w, op, &author{choices: c, flaws: []int{c.below(6)}})
	case kind < honest+50:
		status := []int{400, 401, 403, 404, 409, 422, 429, 410}[c.below(8)]
		refuse(w, status)
	case kind < honest+65:
		refuse(w, []int{500, 502, 503, 504}[c.below(4)])
	case kind < honest+70: // it breaks off
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"id":`)
	default:
		texts := []string{"", "<html>", "null", "[]", "{}", `{"id":7}`, `"`, "\x00"}
		w.Header().Set("Content-Type", []string{"application/json", "text/html"}[c.below(2)])
		_, _ = io.WriteString(w, texts[c.below(len(texts))])
	}
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"type":"about:blank","title":"No","status":%d,"code":"no"}`, status)
}

// respond writes the first success that the contract declares.
func respond(w http.ResponseWriter, op *operation, a *author) {
	declared := op.Responses.Map()
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		status, err := strconv.Atoi(name)
		if err != nil || status > 299 {
			continue
		}
		response := declared[name].Value
		if media := slices.Sorted(maps.Keys(response.Content)); len(media) > 0 {
			w.Header().Set("Content-Type", media[0])
			if strings.HasSuffix(media[0], "json") {
				a.value(response.Content[media[0]].Schema, "")
			}
		}
		w.WriteHeader(status)
		_, _ = w.Write(a.out)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// wire is a rule as JSON.
type wire struct {
	Delay      string   `json:"delay,omitempty"`
	Error      int      `json:"error,omitempty"`
	Refuse     bool     `json:"refuse,omitempty"`
	Share      *float64 `json:"share,omitempty"`
	Operations []string `json:"operations,omitempty"`
}

// MarshalJSON writes the delay as text, such as 200ms.
func (r Rule) MarshalJSON() ([]byte, error) {
	w := wire{Error: r.Error, Refuse: r.Refuse, Share: &r.Share, Operations: r.Operations}
	if r.Delay != 0 {
		w.Delay = r.Delay.String()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes. Unknown members are errors; without a share all requests are hit.
func (r *Rule) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var w wire
	if err := decoder.Decode(&w); err != nil {
		return err
	}
	*r = Rule{Error: w.Error, Refuse: w.Refuse, Share: 1, Operations: w.Operations}
	if w.Share != nil {
		r.Share = *w.Share
	}
	if w.Delay != "" {
		delay, err := time.ParseDuration(w.Delay)
		if err != nil {
			return errors.New("delay is no duration like 200ms")
		}
		r.Delay = delay
	}
	return nil
}

// maxRule bounds the JSON of a rule.
const maxRule = 64 << 10

// Handler serves the rule as JSON: GET shows it ({} when there is none), PUT sets it, DELETE takes it away.
func (i *Injector) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			i.show(w)
		case http.MethodPut:
			if err := i.put(r.Body); err != nil {
				problem.Write(w, r, err)
				return
			}
			i.show(w)
		case http.MethodDelete:
			i.Clear()
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", "GET, PUT, DELETE")
			problem.Write(w, r, problem.New(http.StatusMethodNotAllowed, "method_not_allowed", "Use GET, PUT or DELETE."))
		}
	})
}

func (i *Injector) put(body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, maxRule+1))
	if err != nil {
		return problem.BadRequest("unreadable_body", "The body could not be read.").WithCause(err)
	}
	if len(text) > maxRule {
		return problem.TooLarge("body_too_large", fmt.Sprintf("A rule has at most %d bytes.", maxRule))
	}
	var rule Rule
	if err := json.Unmarshal(text, &rule); err != nil {
		return problem.BadRequest("malformed_body", "The body is no rule: "+err.Error()+".")
	}
	return i.Set(rule)
}

func (i *Injector) show(w http.ResponseWriter) {
	text := []byte("{}")
	if rule, ok := i.Rule(); ok {
		text, _ = json.Marshal(rule) // numbers, texts and a list of texts always have a JSON form
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // the client may be gone
}

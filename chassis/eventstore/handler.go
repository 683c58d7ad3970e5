package eventstore

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// Handler is for operators: it shows the projections' Status at GET /projections, starts a Rebuild at POST
// /projections/{name}/rebuild, and does a Skip at POST /projections/{name}/skip?generation=N&position=N.
func (p *Projector) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /projections", p.show)
	mux.HandleFunc("POST /projections/{name}/rebuild", p.rebuildNow)
	mux.HandleFunc("POST /projections/{name}/skip", p.skipNow)
	return mux
}

// shown is a Status as JSON.
type shown struct {
	Name           string  `json:"name"`
	Generation     int64   `json:"generation"`
	State          string  `json:"state"`
	Position       int64   `json:"position"`
	Lag            int64   `json:"lag"`
	BehindSeconds  float64 `json:"behindSeconds"`
	Failures       int     `json:"failures,omitempty"`
	FailedPosition int64   `json:"failedPosition,omitempty"`
	LastError      string  `json:"lastError,omitempty"`
}

func (p *Projector) show(w http.ResponseWriter, r *http.Request) {
	all, err := p.Status(r.Context())
	answer := make([]shown, len(all))
	for i, s := range all {
		answer[i] = shown{
			Name: s.Name, Generation: s.Generation, State: building, Position: s.Position, Lag: s.Lag, BehindSeconds: s.Behind.Seconds(),
			Failures: s.Failures, FailedPosition: s.FailedPosition, LastError: s.LastError,
		}
		if s.Live {
			answer[i].State = live
		}
	}
	respond(w, http.StatusOK, map[string]any{"projections": answer}, err)
}

func (p *Projector) rebuildNow(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	generation, err := p.Rebuild(r.Context(), name)
	if err == nil {
		p.log.WarnContext(r.Context(), "a projection is rebuilt", "projection", name, "generation", generation)
	}
	respond(w, http.StatusAccepted, map[string]any{"projection": name, "generation": generation}, err)
}

var errSkip = errors.New("say which event is to be skipped: ?generation=N&position=N, as /projections shows them")

func (p *Projector) skipNow(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	generation, err := strconv.ParseInt(r.URL.Query().Get("generation"), 10, 64)
	position, positionErr := strconv.ParseInt(r.URL.Query().Get("position"), 10, 64)
	if err != nil || positionErr != nil {
		respond(w, 0, nil, errSkip)
		return
	}
	err = p.Skip(r.Context(), name, generation, position)
	respond(w, http.StatusOK, map[string]any{"projection": name, "skipped": position}, err)
}

// respond answers an operator, who may see what went wrong.
func respond(w http.ResponseWriter, status int, answer map[string]any, err error) {
	switch {
	case errors.Is(err, ErrUnknownProjection):
		status, answer = http.StatusNotFound, map[string]any{"error": err.Error()}
	case err != nil:
		status, answer = http.StatusConflict, map[string]any{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the operator may be gone
}

package saga

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Desk is where a person sees the parked sagas of a definition and lets them go on. A *Saga is one.
type Desk interface {
	Name() string
	Parked(ctx context.Context, limit int) ([]Case, error)
	Resume(ctx context.Context, id string) error
	Skip(ctx context.Context, id string) error
}

// Case is a parked saga, without its state: that may hold what not everybody is to see.
type Case struct {
	Saga      string    `json:"saga"`
	ID        string    `json:"id"`
	Step      string    `json:"step,omitempty"` // at which it is parked; none at the end
	Action    string    `json:"action"`         // do, undo, or done at the end
	Done      []string  `json:"done"`           // the other steps that are done and not undone, in order
	Attempts  int       `json:"attempts"`
	Cause     string    `json:"cause,omitempty"` // why it compensates
	LastError string    `json:"lastError"`
	Since     time.Time `json:"since"` // when it came to the step
	CreatedAt time.Time `json:"createdAt"`
}

// Name is that of the definition.
func (s *Saga[S]) Name() string { return s.def.Name }

// Parked gives the parked sagas, the oldest first, at most limit; 0 gives all.
func (s *Saga[S]) Parked(ctx context.Context, limit int) ([]Case, error) {
	rows, err := s.rows(ctx, Parked, limit)
	if err != nil {
		return nil, err
	}
	cases := make([]Case, len(rows))
	for i, r := range rows {
		at := r
		at.State = r.Resumes
		cases[i] = Case{
			Saga: r.Name, ID: r.ID, Step: r.Step, Action: at.action(), Done: append([]string{}, r.Done...), Attempts: r.Attempts,
			Cause: r.Cause, LastError: r.LastError, Since: r.Since, CreatedAt: r.CreatedAt,
		}
	}
	return cases, nil
}

// shown is how many sagas of a definition are listed at most. When they are dealt with there is room for more.
const shown = 100

// Handler serves desks as JSON, for the admin port:
//
//	GET  /sagas                    the parked sagas
//	POST /sagas/{saga}/{id}/resume go on with the step at which it is parked, since the cause is mended
//	POST /sagas/{saga}/{id}/skip   go on after it, since a person did by hand what it should have done
func Handler(desks ...Desk) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sagas", func(w http.ResponseWriter, r *http.Request) {
		answer := struct {
			Parked []Case `json:"parked"`
		}{[]Case{}}
		for _, d := range desks {
			cases, err := d.Parked(r.Context(), shown)
			if err != nil {
				problem.Write(w, r, err)
				return
			}
			answer.Parked = append(answer.Parked, cases...)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the client may be gone; there is nobody left to tell
	})
	mux.HandleFunc("POST /sagas/{saga}/{id}/resume", release(desks, Desk.Resume))
	mux.HandleFunc("POST /sagas/{saga}/{id}/skip", release(desks, Desk.Skip))
	return mux
}

func release(desks []Desk, fn func(Desk, context.Context, string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, d := range desks {
			if d.Name() != r.PathValue("saga") {
				continue
			}
			if err := fn(d, r.Context(), r.PathValue("id")); err != nil {
				problem.Write(w, r, refusal(err))
				return
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		problem.Write(w, r, refusal(ErrNotFound))
	}
}

// refusal is the problem behind an error of a Desk.
func refusal(err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return problem.NotFound("saga_not_found", "There is no such saga.").WithCause(err)
	case errors.Is(err, ErrNotParked):
		return problem.Conflict("saga_not_parked", "The saga is not parked.").WithCause(err)
	case errors.Is(err, ErrNotSkippable):
		return problem.Conflict("saga_not_skippable", "There is nothing after this step: mend the cause and resume the saga.").WithCause(err)
	}
	return err
}

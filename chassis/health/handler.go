package health

import (
	"encoding/json"
	"net/http"
)

// Live answers 200 {"status":"UP"} as long as the program can answer at all, also while draining: a program that is only
// cut off from a dependency, or about to stop, is not helped by being killed.
func (s *Set) Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, Report{Status: Up})
	})
}

// Ready answers 200 when every check succeeds, else 503, with a status for each dependency.
func (s *Set) Ready() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, s.Report(r.Context()))
	})
}

func answer(w http.ResponseWriter, r *http.Request, report Report) {
	body, err := json.Marshal(report)
	if err != nil { // strings and a map of strings always have a JSON form
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if report.Status != Up {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the prober may be gone
	}
}

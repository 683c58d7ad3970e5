package saga_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
)

// ask sends a request to a desk and wants a status; it gives the code of a problem, or what is parked.
func ask(t *testing.T, h http.Handler, method, path string, status int) (code string, parked []saga.Case) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, w.Code, status, w.Body)
	}
	var answer struct {
		Code   string
		Parked []saga.Case
	}
	if w.Code != http.StatusNoContent {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
	}
	return answer.Code, answer.Parked
}

// seenAndReleased has a person find a parked saga at a desk of two definitions, and let it go on.
func seenAndReleased(t *testing.T, db *database.DB) {
	other := newSaga(t, db, journey(newWorld(), 1, func(d *saga.Definition[trip]) { d.Name = "other" }))
	if _, parked := ask(t, saga.Handler(other), "GET", "/sagas", http.StatusOK); parked == nil || len(parked) != 0 {
		t.Errorf("without any there are %v", parked)
	}
	w, s := poison(t, db, errMade)
	desk := saga.Handler(other, s)
	_, parked := ask(t, desk, "GET", "/sagas", http.StatusOK)
	want := []saga.Case{{
		Saga: "journey", ID: "1", Step: "b", Action: "undo", Done: []string{"a"}, Attempts: 3, Cause: errMade.Error(), LastError: errMade.Error(),
	}}
	if diff := cmp.Diff(want, parked, cmpopts.IgnoreFields(saga.Case{}, "Since", "CreatedAt")); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]string{
		"/sagas/other/1/resume": "saga_not_found", "/sagas/journey/2/skip": "saga_not_found", "/sagas/nobody/1/resume": "saga_not_found",
	} {
		if code, _ := ask(t, desk, "POST", path, http.StatusNotFound); code != want {
			t.Errorf("%s: %s", path, code)
		}
	}
	ask(t, desk, "POST", "/sagas/journey/1/resume", http.StatusNoContent)
	eventually(t, "all attempts are used up again", func() bool { return w.count("journey/1/b/undo") == 6 })
	await(t, s, "1", saga.Parked)
	ask(t, desk, "POST", "/sagas/journey/1/skip", http.StatusNoContent)
	await(t, s, "1", saga.Compensated)
	settled(t, s, w, "1", saga.Compensated, "+a +b -a")
	if _, parked := ask(t, desk, "GET", "/sagas", http.StatusOK); len(parked) != 0 {
		t.Errorf("still parked: %v", parked)
	}
	if code, _ := ask(t, desk, "POST", "/sagas/journey/1/resume", http.StatusConflict); code != "saga_not_parked" {
		t.Errorf("resume what is not parked: %s", code)
	}
}

// endIsNotSkipped parks a saga in Done, after which there is nothing.
func endIsNotSkipped(t *testing.T, db *database.DB) {
	change, _ := failingDone(t, db, 1000, errMade)
	s := newSaga(t, db, journey(newWorld(), 1, change))
	run(t, s)
	start(t, db, s, "1")
	await(t, s, "1", saga.Parked)
	desk := saga.Handler(s)
	if _, parked := ask(t, desk, "GET", "/sagas", http.StatusOK); len(parked) != 1 || parked[0].Action != "done" || parked[0].Step != "" {
		t.Errorf("parked %+v", parked)
	}
	if code, _ := ask(t, desk, "POST", "/sagas/journey/1/skip", http.StatusConflict); code != "saga_not_skippable" {
		t.Errorf("skip: %s", code)
	}
}

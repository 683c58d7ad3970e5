package eventstore_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
)

func TestOperatorsSeeRebuildAndSkip(t *testing.T) {
	db := databasetest.New(t, eventstore.Migrations())
	execute(t, db, balancesTable)
	store := newStore(t, db)
	p := newProjector(t, store, balances("balances"))
	mustAppend(t, store, "a", eventstore.NoStream, deposited{1})
	mustAppend(t, store, "b", eventstore.NoStream, deposited{2})
	execute(t, db, "UPDATE eventstore_event SET data = '{' WHERE stream = 'b'")
	catchUp(t, p)

	ask := func(method, path string, status int) string {
		t.Helper()
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		if w.Code != status {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	type status struct {
		Name, State                string
		Generation, FailedPosition int64
		Failures                   int
	}
	shown := func() []status {
		t.Helper()
		var got struct{ Projections []status }
		if err := json.Unmarshal([]byte(ask("GET", "/projections", 200)), &got); err != nil {
			t.Fatal(err)
		}
		return got.Projections
	}
	want := status{Name: "balances", State: "building", Generation: 1, FailedPosition: 2, Failures: 1}
	if got := shown(); len(got) != 1 || got[0] != want {
		t.Fatalf("shown %+v, want %+v", got, want)
	}
	ask("POST", "/projections/balances/skip?generation=1&position=1", 409)
	ask("POST", "/projections/balances/skip?generation=1", 409)
	ask("POST", "/projections/balances/skip?generation=1&position=2", 200)
	catchUp(t, p)
	if got := readBalances(t, db, "balances"); len(got) != 1 || got["a"].Balance != 1 {
		t.Fatalf("the model has %v", got)
	}

	execute(t, db, "UPDATE eventstore_event SET data = '"+`{"Amount":2}`+"' WHERE stream = 'b'")
	if answer := ask("POST", "/projections/balances/rebuild", 202); !strings.Contains(answer, `"generation":2`) {
		t.Error(answer)
	}
	catchUp(t, p)
	if got := shown(); len(got) != 1 || got[0] != (status{Name: "balances", State: "live", Generation: 2}) {
		t.Errorf("shown %+v", got)
	}
	if got := readBalances(t, db, "balances"); got["b"].Balance != 2 {
		t.Errorf("the model has %v", got)
	}
	for _, unknown := range []string{"rebuild", "skip?generation=1&position=1"} {
		if answer := ask("POST", fmt.Sprintf("/projections/unknown/%s", unknown), 404); !strings.Contains(answer, "no such projection") {
			t.Error(answer)
		}
	}
}

package http

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/services/inventory/internal/participant"
	"github.com/trellis-mesh/trellis/services/inventory/internal/store"
	"github.com/trellis-mesh/trellis/services/inventory/migrations"
)

// lab is the API as the service has it, contract validation included, and the store below it.
type lab struct {
	handler http.Handler
	store   *store.Store
}

func newLab(t *testing.T) lab {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "inventory", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, twophase.Migrations()); err != nil {
		t.Fatal(err)
	}
	s := store.New(db)
	transactions, err := participant.New(db, s, twophase.LocalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	api.Register(server.Router(), New(Deps{Store: s, Transactions: transactions}))
	return lab{server.Handler(), s}
}

// call sends a request and reads the answer into T, after it has checked the status. No content gives the zero T.
func call[T any](t *testing.T, l lab, method, path, body string, status int) (answer T) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, w.Code, status, w.Body)
	}
	if status == http.StatusNoContent {
		return answer
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return answer
}

// refused sends a request and expects a problem of that code.
func refused(t *testing.T, l lab, method, path, body string, status int, code string) {
	t.Helper()
	if p := call[api.Problem](t, l, method, path, body, status); p.Code != code {
		t.Errorf("%s %s: code %q, want %q", method, path, p.Code, code)
	}
}

func stock(t *testing.T, l lab, product string) api.Stock {
	t.Helper()
	return call[api.Stock](t, l, "GET", "/v1/stock/"+product, "", http.StatusOK)
}

const (
	threeTeas = `{"items": [{"productId": "tea", "quantity": 1}, {"productId": "tea", "quantity": 2}]}`
	fiveTeas  = `{"items": [{"productId": "tea", "quantity": 5}]}`
)

func TestStockThatIsSetCanBeGot(t *testing.T) {
	l := newLab(t)
	if got := stock(t, l, "tea"); got != (api.Stock{ProductID: "tea"}) {
		t.Errorf("before: %v", got)
	}
	set := call[api.Stock](t, l, "PUT", "/v1/stock/tea", `{"onHand": 4}`, http.StatusOK)
	if want := (api.Stock{ProductID: "tea", OnHand: 4, Available: 4}); set != want || stock(t, l, "tea") != want {
		t.Errorf("%v, then %v, want %v", set, stock(t, l, "tea"), want)
	}
}

func TestStockBelowWhatIsReservedIsRefused(t *testing.T) {
	l := newLab(t)
	call[api.Stock](t, l, "PUT", "/v1/stock/tea", `{"onHand": 4}`, http.StatusOK)
	call[api.Reservation](t, l, "PUT", "/v1/reservations/1", threeTeas, http.StatusOK)
	refused(t, l, "PUT", "/v1/stock/tea", `{"onHand": 2}`, http.StatusConflict, "stock_reserved")
	if got, want := stock(t, l, "tea"), (api.Stock{ProductID: "tea", OnHand: 4, Reserved: 3, Available: 1}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestReservationSaidAgainIsTheSame(t *testing.T) {
	l := newLab(t)
	call[api.Stock](t, l, "PUT", "/v1/stock/tea", `{"onHand": 4}`, http.StatusOK)
	want := api.Reservation{OrderID: "1", Status: api.ReservationStatusReserved, Items: []api.Reserved{{ProductID: "tea", Quantity: 3}}}
	for range 2 {
		got := call[api.Reservation](t, l, "PUT", "/v1/reservations/1", threeTeas, http.StatusOK)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	refused(t, l, "PUT", "/v1/reservations/1", fiveTeas, http.StatusConflict, "reservation_differs")
	refused(t, l, "PUT", "/v1/reservations/2", threeTeas, http.StatusConflict, "stock_insufficient")
	if got := stock(t, l, "tea"); got.Reserved != 3 {
		t.Errorf("%v", got)
	}
	if _, _, err := l.store.Handle(t.Context(), "1", domain.Complete); err != nil {
		t.Fatal(err)
	}
	want.Status = api.ReservationStatusTaken
	if diff := cmp.Diff(want, call[api.Reservation](t, l, "PUT", "/v1/reservations/1", threeTeas, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	refused(t, l, "DELETE", "/v1/reservations/1", "", http.StatusConflict, "reservation_taken")
}

func TestReleaseHoldsHoweverOftenAndEarlyItIsSaid(t *testing.T) {
	l := newLab(t)
	call[api.Stock](t, l, "PUT", "/v1/stock/tea", `{"onHand": 9}`, http.StatusOK)
	call[api.Reservation](t, l, "PUT", "/v1/reservations/1", threeTeas, http.StatusOK)
	for _, order := range []string{"1", "2"} { // 2 was never reserved
		for range 2 {
			call[any](t, l, "DELETE", "/v1/reservations/"+order, "", http.StatusNoContent)
		}
		refused(t, l, "PUT", "/v1/reservations/"+order, threeTeas, http.StatusConflict, "reservation_released")
	}
	if got, want := stock(t, l, "tea"), (api.Stock{ProductID: "tea", OnHand: 9, Available: 9}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWhatTheContractDoesNotAllowIsRefused(t *testing.T) {
	l := newLab(t)
	for path, bodies := range map[string][]string{
		"/v1/stock/tea":      {`{}`, `{"onHand": -1}`, `{"onHand": 1.5}`, `{"onHand": 1000000001}`},
		"/v1/reservations/1": {`{}`, `{"items": []}`, `{"items": [{"productId": "tea", "quantity": 0}]}`},
	} {
		for _, body := range bodies {
			call[api.Problem](t, l, "PUT", path, body, http.StatusUnprocessableEntity)
		}
	}
}

package http

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/participant"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
	"github.com/trellis-mesh/trellis/services/shipping/migrations"
)

// lab is the API as the service has it, contract validation included, and the store below it.
type lab struct {
	handler http.Handler
	store   *store.Store
}

func newLab(t *testing.T) lab {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "shipping", Output: io.Discard})
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

const (
	twoTeas   = `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 2}], "address": "Main Street 1"}`
	threeTeas = `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 3}], "address": "Main Street 1"}`
)

func TestArrangedShipmentCanBeGot(t *testing.T) {
	l, address := newLab(t), "Main Street 1"
	refused(t, l, "GET", "/v1/shipments/1", "", http.StatusNotFound, "shipment_not_found")
	first := call[api.Shipment](t, l, "PUT", "/v1/shipments/1", twoTeas, http.StatusOK)
	want := api.Shipment{
		OrderID: "1", CustomerID: "ada", Status: api.Arranged, Address: &address, Items: []api.Line{{ProductID: "tea", Quantity: 2}},
	}
	if diff := cmp.Diff(want, first, cmpopts.IgnoreFields(want, "ID", "CreatedAt")); diff != "" || first.ID == "" {
		t.Errorf("%s %v", diff, first)
	}
	again := call[api.Shipment](t, l, "PUT", "/v1/shipments/1", twoTeas, http.StatusOK)
	got := call[api.Shipment](t, l, "GET", "/v1/shipments/1", "", http.StatusOK)
	if diff := cmp.Diff([]api.Shipment{first, first}, []api.Shipment{again, got}); diff != "" {
		t.Error(diff)
	}
	refused(t, l, "PUT", "/v1/shipments/1", threeTeas, http.StatusConflict, "shipment_differs")
	if _, _, err := l.store.Handle(t.Context(), "1", domain.Complete, domain.Parcel{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, call[api.Shipment](t, l, "GET", "/v1/shipments/1", "", http.StatusOK)); diff != "" {
		t.Errorf("of a completed order: %s", diff)
	}
	refused(t, l, "DELETE", "/v1/shipments/1", "", http.StatusConflict, "shipment_confirmed")
}

func TestCancellationHoldsHoweverOftenAndEarlyItIsSaid(t *testing.T) {
	l := newLab(t)
	call[api.Shipment](t, l, "PUT", "/v1/shipments/1", twoTeas, http.StatusOK)
	for _, order := range []string{"1", "2"} { // 2 was never arranged
		for range 2 {
			call[any](t, l, "DELETE", "/v1/shipments/"+order, "", http.StatusNoContent)
		}
		refused(t, l, "PUT", "/v1/shipments/"+order, twoTeas, http.StatusConflict, "shipment_cancelled")
	}
	if got := call[api.Shipment](t, l, "GET", "/v1/shipments/1", "", http.StatusOK); got.Status != api.Cancelled {
		t.Errorf("%v", got)
	}
	refused(t, l, "GET", "/v1/shipments/2", "", http.StatusNotFound, "shipment_not_found")
}

func TestWhatTheContractDoesNotAllowIsRefused(t *testing.T) {
	l := newLab(t)
	for _, body := range []string{
		`{}`, `{"customerId": "ada", "items": []}`, `{"items": [{"productId": "tea", "quantity": 1}]}`,
		`{"customerId": "ada", "items": [{"productId": "tea", "quantity": 0}]}`,
	} {
		call[api.Problem](t, l, "PUT", "/v1/shipments/1", body, http.StatusUnprocessableEntity)
	}
	refused(t, l, "GET", "/v1/shipments/1", "", http.StatusNotFound, "shipment_not_found")
}

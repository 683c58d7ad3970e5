package http

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
	"github.com/trellis-mesh/trellis/services/orders/migrations"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// serve is the API as the service has it, contract validation included, on a database of the test's own and what the test gives. Who
// fulfils orders does not run.
func serve(t *testing.T, deps Deps) (http.Handler, *app.Orders) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "orders", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	orders, kept := newOrders(t)
	if deps.Orders == nil {
		deps.Orders = orders
	}
	if deps.Store == nil {
		deps.Store = kept
	}
	keys, err := idempotency.New(orders.Database, idempotency.Options{Optional: []string{"createOrder", "addItem"}})
	if err != nil {
		t.Fatal(err)
	}
	server.Router().Use(keys.Middleware)
	api.Register(server.Router(), New(deps))
	return server.Handler(), orders
}

// says is a flag that has this value.
type says string

func (s says) String(context.Context, string, string, string) string { return string(s) }

// noTill refuses to take money.
type noTill struct{}

func (noTill) Charge(context.Context, string, string, domain.Snapshot) error {
	return &app.Refusal{Reason: "the card was declined"}
}
func (noTill) Refund(context.Context, string) error { return nil }

// newOrders are those of the service, and their store, on a database of the test's own.
func newOrders(t *testing.T) (*app.Orders, *store.Store) {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	for _, tables := range []fs.FS{outbox.Migrations(), saga.Migrations(), twophase.Migrations(), idempotency.Migrations()} {
		if err := database.Migrate(t.Context(), db, tables); err != nil {
			t.Fatal(err)
		}
	}
	box, err := outbox.New(db, &eventtest.Recorder{}, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	orders, err := app.New(app.Deps{
		Database: db, Outbox: box, Flags: says("orchestration"), Till: noTill{}, Log: slog.New(slog.DiscardHandler), Wait: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return orders, store.New(db, box)
}

// call sends a request and reads the JSON answer into out, after it has checked the status.
func call(t *testing.T, h http.Handler, method, path, body string, status int, out any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
}

// listed gives the orders of Ada that are placed.
func listed(t *testing.T, h http.Handler) []api.Order {
	t.Helper()
	var got api.OrderList
	call(t, h, "GET", "/v1/orders?customerId=ada", "", http.StatusOK, &got)
	return got.Items
}

// fakeCatalog answers for catalog with the prices that it has, or with a status or an error for all.
type fakeCatalog struct {
	prices map[string]catalogapi.Money
	status int
	code   string // of its 404, when it is another one's
	err    error
}

func (f fakeCatalog) GetProductWithResponse(_ context.Context, id string, _ ...catalogapi.RequestEditorFn) (*catalogapi.GetProductResponse, error) {
	price, ok := f.prices[id]
	switch {
	case f.err != nil:
		return nil, f.err
	case f.status != 0:
		return &catalogapi.GetProductResponse{HTTPResponse: &http.Response{StatusCode: f.status}}, nil
	case !ok:
		return &catalogapi.GetProductResponse{
			HTTPResponse:              &http.Response{StatusCode: http.StatusNotFound},
			ApplicationProblemJSON404: &catalogapi.Problem{Code: cmp.Or(f.code, "product_not_found")},
		}, nil
	}
	return &catalogapi.GetProductResponse{
		HTTPResponse: &http.Response{StatusCode: http.StatusOK},
		JSON200:      &catalogapi.Product{ID: id, Name: "product " + id, Price: price},
	}, nil
}

// fakeUsers answers for users: with Ada, or with a status or an error.
type fakeUsers struct {
	status int
	code   string // of a problem with the status 404
	err    error
}

func (f fakeUsers) GetUserWithResponse(_ context.Context, id string, _ ...usersapi.RequestEditorFn) (*usersapi.GetUserResponse, error) {
	switch {
	case f.err != nil:
		return nil, f.err
	case f.status != 0:
		answer := &usersapi.GetUserResponse{HTTPResponse: &http.Response{StatusCode: f.status}}
		if f.code != "" {
			answer.ApplicationProblemJSON404 = &usersapi.Problem{Code: f.code}
		}
		return answer, nil
	}
	return &usersapi.GetUserResponse{HTTPResponse: &http.Response{StatusCode: http.StatusOK}, JSON200: &usersapi.User{ID: id, Name: "Ada"}}, nil
}

// shop has two products in euros and one in dollars.
func shop() Clients {
	return Clients{Users: fakeUsers{}, Catalog: fakeCatalog{prices: map[string]catalogapi.Money{
		"tea": {Amount: "12.50", Currency: "EUR"}, "sugar": {Amount: "0.99", Currency: "EUR"}, "cola": {Amount: "1.00", Currency: "USD"},
	}}}
}

const teaForTwo = `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 2}, {"productId": "sugar", "quantity": 3}]}`

func TestCreatedOrderCanBeGot(t *testing.T) {
	h, _ := serve(t, Deps{Clients: shop()})
	var created, got api.Order
	call(t, h, "POST", "/v1/orders", teaForTwo, http.StatusCreated, &created)
	if want := (api.Money{Amount: "27.97", Currency: "EUR"}); created.Total != want {
		t.Errorf("total %v, want %v", created.Total, want)
	}
	if created.ID == "" || created.Status != api.Confirmed || created.Fulfilment != api.Orchestration || created.Customer != (api.Customer{ID: "ada", Name: "Ada"}) {
		t.Errorf("created %+v", created)
	}
	call(t, h, "GET", "/v1/orders/"+created.ID, "", http.StatusOK, &got)
	if diff := gocmp.Diff(created, got); diff != "" {
		t.Error(diff)
	}
	if len(got.Items) != 2 || got.Items[1].Subtotal.Amount != "2.97" || got.Items[0].Name != "product tea" {
		t.Errorf("items %+v", got.Items)
	}
}

func TestCreateOrderRefusesWhatTheContractDoesNotAllow(t *testing.T) {
	h, _ := serve(t, Deps{Clients: shop()})
	for _, body := range []string{
		`{}`, `[]`, `{"customerId": "ada", "items": []}`, `{"items": [{"productId": "tea", "quantity": 1}]}`,
		`{"customerId": "ada", "items": [{"productId": "tea", "quantity": 0}]}`,
		`{"customerId": "ada", "items": [{"productId": "tea", "quantity": 1.5}]}`,
	} {
		var refused problem.Problem
		call(t, h, "POST", "/v1/orders", body, http.StatusUnprocessableEntity, &refused)
		if len(refused.Errors) == 0 {
			t.Errorf("%s: a problem that names no field: %+v", body, refused)
		}
	}
}

// resting is what the chassis' client says while its breaker is open.
var resting = &httpclient.Error{Callee: "users", Err: httpclient.ErrOpen}

func TestCreateOrderWhenACalleeSaysNo(t *testing.T) {
	ada := []domain.Customer{{ID: "ada", Name: "Ada"}}
	tests := map[string]struct {
		catalog Catalog
		users   Users
		known   []domain.Customer
		status  int
		code    string
	}{
		"the product is unknown":             {catalog: fakeCatalog{}, status: 422, code: "product_not_found"},
		"catalog fails":                      {catalog: fakeCatalog{status: 500}, status: 502, code: "catalog_failed"},
		"catalog has no usable price":        {catalog: fakeCatalog{prices: map[string]catalogapi.Money{"tea": {}, "sugar": {}}}, status: 502, code: "catalog_failed"},
		"catalog is late":                    {catalog: fakeCatalog{err: context.DeadlineExceeded}, status: 504, code: "deadline_exceeded"},
		"the customer is unknown":            {users: fakeUsers{status: 404, code: "user_not_found"}, known: ada, status: 422, code: "customer_not_found"},
		"users has no such route":            {users: fakeUsers{status: 404, code: "route_not_found"}, status: 502, code: "users_failed"},
		"a proxy knows no users":             {users: fakeUsers{status: 404}, status: 502, code: "users_failed"},
		"a proxy knows no users, ada is":     {users: fakeUsers{status: 404}, known: ada, status: 201},
		"users is given a rest":              {users: fakeUsers{err: resting}, status: 503, code: "dependency_unavailable"},
		"catalog has no such route":          {catalog: fakeCatalog{code: "route_not_found"}, status: 502, code: "catalog_failed"},
		"a proxy knows no catalog":           {catalog: fakeCatalog{status: 404}, status: 502, code: "catalog_failed"},
		"users fails":                        {users: fakeUsers{status: 500}, status: 502, code: "users_failed"},
		"users fails for a known customer":   {users: fakeUsers{status: 503}, known: ada, status: 201},
		"users is late for a known customer": {users: fakeUsers{err: context.DeadlineExceeded}, known: ada, status: 201},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clients := shop()
			if test.catalog != nil {
				clients.Catalog = test.catalog
			}
			if test.users != nil {
				clients.Users = test.users
			}
			h, orders := serve(t, Deps{Clients: clients})
			for _, customer := range test.known {
				if err := store.KeepCustomer(t.Context(), orders.Database, customer); err != nil {
					t.Fatal(err)
				}
			}
			var answer struct{ Code string }
			call(t, h, "POST", "/v1/orders", teaForTwo, test.status, &answer)
			if answer.Code != test.code {
				t.Errorf("code %q, want %q", answer.Code, test.code)
			}
			if placed, kept := test.status == http.StatusCreated, listed(t, h); placed != (len(kept) == 1) {
				t.Errorf("%d orders were kept", len(kept))
			}
		})
	}
}

func TestWhenToOrderAgainIsToldAsTheClientOfUsersSaysIt(t *testing.T) {
	clients := shop()
	clients.Users = fakeUsers{err: resting}
	h, _ := serve(t, Deps{Clients: clients})
	r := httptest.NewRequest(http.MethodPost, "/v1/orders", strings.NewReader(teaForTwo))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
}

func TestCreateOrderInTwoCurrencies(t *testing.T) {
	var refused problem.Problem
	h, _ := serve(t, Deps{Clients: shop()})
	body := `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 1}, {"productId": "cola", "quantity": 1}]}`
	call(t, h, "POST", "/v1/orders", body, http.StatusUnprocessableEntity, &refused)
	if refused.Code != "currencies_mixed" {
		t.Errorf("code %q", refused.Code)
	}
}

func TestNothingIsToldOfAFailingStore(t *testing.T) {
	h, orders := serve(t, Deps{Clients: shop()})
	if _, err := orders.Database.NewRaw(`ALTER TABLE "orders" RENAME TO "secret"`).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/v1/orders/1", ""}, {"GET", "/v1/orders?customerId=ada", ""}, {"POST", "/v1/orders", teaForTwo},
		{"DELETE", "/v1/orders/1/items/tea", ""}, {"POST", "/v1/orders/1/confirm", ""}, {"POST", "/v1/orders/1/pay", `{"paymentMethod": "m1"}`},
	} {
		var failed problem.Problem
		call(t, h, r.method, r.path, r.body, http.StatusInternalServerError, &failed)
		if strings.Contains(failed.Detail, "orders") {
			t.Errorf("%s %s: detail %q", r.method, r.path, failed.Detail)
		}
	}
}

func TestOrderIsPlacedOnItsTerms(t *testing.T) {
	h, _ := serve(t, Deps{Clients: shop()})
	for body, want := range map[string][2]string{
		`"paymentMethod": "m1", "shippingAddress": "Main Street 1"`: {"m1", "Main Street 1"},
		`"draft": false`: {"invoice", ""},
	} {
		var created api.Order
		call(t, h, "POST", "/v1/orders", `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 1}], `+body+`}`, http.StatusCreated, &created)
		if got := [2]string{*created.PaymentMethod, given(created.ShippingAddress)}; got != want || created.Status != api.Confirmed {
			t.Errorf("%s: created %+v", body, created)
		}
	}
}

func given(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// outcome is an order, or a problem.
type outcome struct {
	api.Order
	Code   string
	Detail string
	Errors []problem.FieldError
}

// UnmarshalJSON bears that the status of a problem is a number.
func (o *outcome) UnmarshalJSON(text []byte) error {
	var p problem.Problem
	if err := json.Unmarshal(text, &p); err == nil && p.Code != "" {
		o.Code, o.Detail, o.Errors = p.Code, p.Detail, p.Errors
		return nil
	}
	return json.Unmarshal(text, &o.Order)
}

// TestDraftIsPutTogetherAndConfirmed goes the way of a customer who fills a basket, with what is refused on it.
func TestDraftIsPutTogetherAndConfirmed(t *testing.T) {
	h, _ := serve(t, Deps{Clients: shop()})
	var draft outcome
	call(t, h, "POST", "/v1/orders", `{"customerId": "ada", "items": [], "draft": true}`, http.StatusCreated, &draft)
	if draft.Status != api.Draft || draft.PaymentMethod != nil || draft.ShippingAddress != nil || draft.Total != (api.Money{Amount: "0", Currency: "XXX"}) {
		t.Fatalf("draft %+v", draft.Order)
	}
	path := "/v1/orders/" + draft.ID
	for i, step := range []struct {
		method, path, body string
		status             int
		code, total        string
	}{
		{"POST", "/confirm", "", 422, "order_incomplete", ""},
		{"PUT", "/payment", `{"method": "m1", "amount": {"amount": "0", "currency": "EUR"}}`, 422, "order_incomplete", ""},
		{"POST", "/items", `{"productId": "tea", "quantity": 2}`, 200, "", "25.00"},
		{"POST", "/items", `{"productId": "tea", "quantity": 999}`, 422, "quantity_invalid", ""},
		{"POST", "/items", `{"productId": "tea", "quantity": 0}`, 422, "invalid_body", ""},
		{"POST", "/items", `{"productId": "cola", "quantity": 1}`, 422, "currencies_mixed", ""},
		{"POST", "/items", `{"productId": "coffee", "quantity": 1}`, 422, "product_not_found", ""},
		{"POST", "/items", `{"productId": "sugar", "quantity": 1}`, 200, "", "25.99"},
		{"PUT", "/payment", `{"method": "m1", "amount": {"amount": "25.00", "currency": "EUR"}}`, 422, "amount_differs", ""},
		{"PUT", "/payment", `{"method": "m1", "amount": {"amount": "25.99", "currency": "USD"}}`, 422, "amount_differs", ""},
		{"PUT", "/payment", `{"method": "m1", "amount": {"amount": "-1", "currency": "EUR"}}`, 422, "amount_invalid", ""},
		{"PUT", "/payment", `{"method": "m1", "amount": {"amount": "25.990", "currency": "EUR"}}`, 200, "", "25.99"},
		{"DELETE", "/items/sugar", "", 200, "", "25.00"}, // clears the payment
		{"DELETE", "/items/sugar", "", 404, "item_not_found", ""},
		{"PUT", "/shipping", `{"address": " "}`, 422, "address_invalid", ""},
		{"PUT", "/shipping", `{"address": "Main Street 1"}`, 200, "", "25.00"},
		{"POST", "/confirm", "", 422, "order_incomplete", ""},
		{"PUT", "/payment", `{"method": "invoice", "amount": {"amount": "25.00", "currency": "EUR"}}`, 200, "", "25.00"},
		{"POST", "/pay", `{"paymentMethod": "m1"}`, 409, "order_not_payable", ""},
		{"POST", "/confirm", "", 200, "", "25.00"},
		{"POST", "/confirm", "", 200, "", "25.00"}, // said again
		{"POST", "/items", `{"productId": "sugar", "quantity": 1}`, 409, "order_not_draft", ""},
		{"DELETE", "/items/tea", "", 409, "order_not_draft", ""},
		{"PUT", "/payment", `{"method": "m1", "amount": {"amount": "25.00", "currency": "EUR"}}`, 409, "order_not_draft", ""},
		{"PUT", "/shipping", `{"address": "elsewhere"}`, 409, "order_not_draft", ""},
		{"POST", "/pay", `{"paymentMethod": "m1"}`, 409, "order_not_payable", ""}, // it is not completed yet
	} {
		if orders := listed(t, h); i < 20 && len(orders) != 0 {
			t.Fatalf("step %d: a draft is listed", i)
		}
		var got outcome
		call(t, h, step.method, path+step.path, step.body, step.status, &got)
		if got.Code != step.code || got.Total.Amount != step.total {
			t.Errorf("step %d: %s %s: code %q and total %q, want %q and %q; %+v", i, step.method, step.path, got.Code, got.Total.Amount, step.code, step.total, got)
		}
	}
	if orders := listed(t, h); len(orders) != 1 || orders[0].Status != api.Confirmed || given(orders[0].PaymentMethod) != "invoice" {
		t.Errorf("placed %+v", orders)
	}
	var drafts api.OrderList
	call(t, h, "GET", "/v1/orders?customerId=ada&status=draft", "", http.StatusOK, &drafts)
	if len(drafts.Items) != 0 {
		t.Errorf("drafts %+v", drafts.Items)
	}
}

func TestWhatADraftLacksIsNamed(t *testing.T) {
	h, _ := serve(t, Deps{Clients: shop()})
	var draft, refused outcome
	call(t, h, "POST", "/v1/orders", `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 1}], "draft": true}`, http.StatusCreated, &draft)
	call(t, h, "POST", "/v1/orders/"+draft.ID+"/confirm", "", http.StatusUnprocessableEntity, &refused)
	var fields []string
	for _, f := range refused.Errors {
		fields = append(fields, f.Pointer)
	}
	if diff := gocmp.Diff([]string{"/paymentMethod", "/shippingAddress"}, fields); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"/confirm", "/pay"} {
		call(t, h, "POST", "/v1/orders/unknown"+path, `{"paymentMethod": "m1"}`, http.StatusNotFound, &refused)
		if refused.Code != "order_not_found" {
			t.Errorf("%s of an unknown order: %s", path, refused.Code)
		}
	}
	call(t, h, "GET", "/v1/orders/unknown", "", http.StatusNotFound, &refused)
}

func TestAnItemIsAddedOnceForAKey(t *testing.T) {
	h, _ := serve(t, Deps{Clients: shop()})
	var draft, got outcome
	call(t, h, "POST", "/v1/orders", `{"customerId": "ada", "items": [], "draft": true}`, http.StatusCreated, &draft)
	for range 2 {
		r := httptest.NewRequest("POST", "/v1/orders/"+draft.ID+"/items", strings.NewReader(`{"productId": "tea", "quantity": 2}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "a-wish-of-the-test")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("status %d, %s", w.Code, w.Body)
		}
	}
	call(t, h, "GET", "/v1/orders/"+draft.ID, "", http.StatusOK, &got)
	if len(got.Items) != 1 || got.Items[0].Quantity != 2 {
		t.Errorf("items %+v", got.Items)
	}
}

// paying gives one outcome of Pay.
type paying struct {
	Orders

	bill domain.Bill
	err  error
}

func (p paying) Pay(context.Context, string, string) (domain.Snapshot, error) {
	order := domain.Snapshot{ID: "1", Status: domain.Completed, Bill: p.bill}
	if p.bill.Status == domain.Paid {
		order.PaidAt = time.Unix(1, 0)
	}
	return order, p.err
}

func TestPayOrderSaysWhatBecameOfIt(t *testing.T) {
	for name, test := range map[string]struct {
		paying
		status       int
		code, detail string
	}{
		"paid":          {paying{bill: domain.Bill{Status: domain.Paid, Method: "m1"}}, 200, "", ""},
		"not known yet": {paying{bill: domain.Bill{Status: domain.Paying, Method: "m1"}}, 202, "", ""},
		"refused":       {paying{bill: domain.Bill{Status: domain.Failed, Reason: "the card was declined"}}, 422, "payment_failed", "the card was declined). Nothing was charged"},
		"not updated":   {paying{bill: domain.Bill{Status: domain.Undone, Reason: app.NotUpdated}}, 409, "payment_undone", "could not be marked as paid. The charge is given back"},
		"not told":      {paying{bill: domain.Bill{Status: domain.Undone, Reason: app.NotTold}}, 409, "payment_undone", "Both is undone"},
		"not confirmed": {paying{bill: domain.Bill{Status: domain.Undone, Reason: app.NotConfirmed}}, 409, "payment_undone", "If you were charged, that is given back"},
		"in doubt":      {paying{bill: domain.Bill{Status: domain.Undone, Reason: "the card was declined"}}, 409, "payment_undone", "the card was declined) after"},
		"paid before":   {paying{err: domain.ErrPaid}, 409, "order_paid", ""},
		"being paid":    {paying{err: domain.ErrPaying}, 409, "order_being_paid", ""},
		"by an invoice": {paying{err: domain.ErrMethod}, 422, "payment_method_invalid", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := serve(t, Deps{Orders: test.paying})
			var got outcome
			call(t, h, "POST", "/v1/orders/1/pay", `{"paymentMethod": "m1"}`, test.status, &got)
			if got.Code != test.code || !strings.Contains(got.Detail, test.detail) {
				t.Errorf("%q: %s", got.Code, got.Detail)
			}
			if got.Code == "" && (got.Bill == nil || string(got.Bill.Status) != string(test.bill.Status) || (got.PaidAt != nil) != (test.status == 200)) {
				t.Errorf("order %+v", got.Order)
			}
		})
	}
}

func TestListOrdersGivesTheLatestOfACustomer(t *testing.T) {
	h, _ := serve(t, Deps{Clients: shop()})
	var first, second, other api.Order
	call(t, h, "POST", "/v1/orders", teaForTwo, http.StatusCreated, &first)
	call(t, h, "POST", "/v1/orders", teaForTwo, http.StatusCreated, &second)
	call(t, h, "POST", "/v1/orders", strings.Replace(teaForTwo, "ada", "eve", 1), http.StatusCreated, &other)
	for query, want := range map[string][]string{
		"customerId=ada": {second.ID, first.ID}, "customerId=ada&limit=1": {second.ID}, "customerId=eve": {other.ID}, "customerId=mallory": {},
	} {
		var got api.OrderList
		call(t, h, "GET", "/v1/orders?"+query, "", http.StatusOK, &got)
		ids := []string{}
		for _, order := range got.Items {
			ids = append(ids, order.ID)
		}
		if diff := gocmp.Diff(want, ids); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}

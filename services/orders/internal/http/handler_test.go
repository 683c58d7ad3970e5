package http

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// serve is the API as the service has it, contract validation included, on what the test gives.
func serve(t *testing.T, deps Deps) http.Handler {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "orders", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	if deps.Orders == nil {
		deps.Orders = deps.Store.(*fakeStore)
	}
	api.Register(server.Router(), New(deps))
	return server.Handler()
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

// fakeStore is Orders and a Store in memory. With err set, keeping and getting fail.
type fakeStore struct {
	orders    []domain.Order
	customers []domain.Customer
	err       error
}

func (f *fakeStore) Place(ctx context.Context, order domain.Order, also func(context.Context, bun.Tx, domain.Order) error) error {
	order.Fulfilment = domain.Orchestration
	f.orders = append(f.orders, order)
	return cmp.Or(f.err, also(ctx, bun.Tx{}, order))
}

func (f *fakeStore) Get(_ context.Context, id string) (domain.Order, error) {
	for _, order := range f.orders {
		if order.ID == id {
			return order, f.err
		}
	}
	return domain.Order{}, cmp.Or(f.err, store.ErrNotFound)
}

func (f *fakeStore) List(_ context.Context, customer string, limit int) ([]domain.Order, error) {
	var found []domain.Order
	for _, order := range slices.Backward(f.orders) {
		if order.Customer.ID == customer && len(found) < limit {
			found = append(found, order)
		}
	}
	return found, f.err
}

func (f *fakeStore) Customer(_ context.Context, id string) (domain.Customer, error) {
	for _, customer := range f.customers {
		if customer.ID == id {
			return customer, nil
		}
	}
	return domain.Customer{}, store.ErrNotFound
}

// fakeCatalog answers for catalog with the prices that it has, or with a status or an error for all.
type fakeCatalog struct {
	prices map[string]catalogapi.Money
	status int
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
		return &catalogapi.GetProductResponse{HTTPResponse: &http.Response{StatusCode: http.StatusNotFound}}, nil
	}
	return &catalogapi.GetProductResponse{
		HTTPResponse: &http.Response{StatusCode: http.StatusOK},
		JSON200:      &catalogapi.Product{ID: id, Name: "product " + id, Price: price},
	}, nil
}

// fakeUsers answers for users: with Ada, or with a status or an error.
type fakeUsers struct {
	status int
	err    error
}

func (f fakeUsers) GetUserWithResponse(_ context.Context, id string, _ ...usersapi.RequestEditorFn) (*usersapi.GetUserResponse, error) {
	switch {
	case f.err != nil:
		return nil, f.err
	case f.status != 0:
		return &usersapi.GetUserResponse{HTTPResponse: &http.Response{StatusCode: f.status}}, nil
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
	h := serve(t, Deps{Store: &fakeStore{}, Clients: shop()})
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
	h := serve(t, Deps{Store: &fakeStore{}, Clients: shop()})
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
		"the customer is unknown":            {users: fakeUsers{status: 404}, known: ada, status: 422, code: "customer_not_found"},
		"users fails":                        {users: fakeUsers{status: 500}, status: 502, code: "users_failed"},
		"users fails for a known customer":   {users: fakeUsers{status: 503}, known: ada, status: 201},
		"users is late for a known customer": {users: fakeUsers{err: context.DeadlineExceeded}, known: ada, status: 201},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clients, kept := shop(), &fakeStore{customers: test.known}
			if test.catalog != nil {
				clients.Catalog = test.catalog
			}
			if test.users != nil {
				clients.Users = test.users
			}
			var answer struct{ Code string }
			call(t, serve(t, Deps{Store: kept, Clients: clients}), "POST", "/v1/orders", teaForTwo, test.status, &answer)
			if answer.Code != test.code {
				t.Errorf("code %q, want %q", answer.Code, test.code)
			}
			if placed := test.status == http.StatusCreated; placed != (len(kept.orders) == 1) {
				t.Errorf("%d orders were kept", len(kept.orders))
			}
		})
	}
}

func TestCreateOrderInTwoCurrencies(t *testing.T) {
	var refused problem.Problem
	body := `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 1}, {"productId": "cola", "quantity": 1}]}`
	call(t, serve(t, Deps{Store: &fakeStore{}, Clients: shop()}), "POST", "/v1/orders", body, http.StatusUnprocessableEntity, &refused)
	if refused.Code != "currencies_mixed" {
		t.Errorf("code %q", refused.Code)
	}
}

func TestGetOrderOfAnUnknownID(t *testing.T) {
	var missing problem.Problem
	call(t, serve(t, Deps{Store: &fakeStore{}}), "GET", "/v1/orders/unknown", "", http.StatusNotFound, &missing)
	if missing.Code != "order_not_found" {
		t.Errorf("code %q", missing.Code)
	}
}

func TestGetOrderTellsNothingOfAFailingStore(t *testing.T) {
	var failed problem.Problem
	h := serve(t, Deps{Store: &fakeStore{err: errors.New("secret of the store")}})
	call(t, h, "GET", "/v1/orders/1", "", http.StatusInternalServerError, &failed)
	if strings.Contains(failed.Detail, "secret") {
		t.Errorf("detail %q", failed.Detail)
	}
}

func TestOrderIsPlacedOnItsTerms(t *testing.T) {
	kept := &fakeStore{}
	h := serve(t, Deps{Store: kept, Clients: shop()})
	var created api.Order
	call(t, h, "POST", "/v1/orders", `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 1}], "paymentMethod": "m1", "shippingAddress": "Main Street 1"}`,
		http.StatusCreated, &created)
	if created.PaymentMethod == nil || *created.PaymentMethod != "m1" || created.ShippingAddress == nil || *created.ShippingAddress != "Main Street 1" {
		t.Errorf("created %+v", created)
	}
	if want := (domain.Terms{PaymentMethod: "m1", ShippingAddress: "Main Street 1"}); kept.orders[0].Terms != want {
		t.Errorf("kept %+v", kept.orders[0].Terms)
	}
}

func TestListOrdersGivesTheLatestOfACustomer(t *testing.T) {
	h := serve(t, Deps{Store: &fakeStore{}, Clients: shop()})
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

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

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// serve is the API as the service has it, contract validation included, on what the test gives.
func serve(t *testing.T, deps Deps) http.Handler {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "catalog", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	versions, err := Versions()
	if err != nil {
		t.Fatal(err)
	}
	server.Router().Use(versions.Middleware)
	api.Register(server.Router(), New(deps))
	return server.Handler()
}

// serveStore is the API on products in memory.
func serveStore(t *testing.T, products *fakeStore) http.Handler {
	t.Helper()
	return serve(t, Deps{Store: products, Reader: products})
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

// fakeStore is a Store in memory. With err set, everything fails.
type fakeStore struct {
	products []store.Product
	err      error
}

func (f *fakeStore) Create(_ context.Context, product store.Product, _ store.Done) error {
	f.products = append(f.products, product)
	return f.err
}

func (f *fakeStore) Get(_ context.Context, id string) (store.Product, error) {
	if i := f.index(id); i >= 0 {
		return f.products[i], f.err
	}
	return store.Product{}, cmp.Or(f.err, store.ErrNotFound)
}

func (f *fakeStore) Some(_ context.Context, ids []string) ([]store.Product, error) {
	var some []store.Product
	for _, id := range ids {
		if i := f.index(id); i >= 0 {
			some = append(some, f.products[i])
		}
	}
	return some, f.err
}

func (f *fakeStore) List(_ context.Context, after string, limit int) ([]store.Product, error) {
	var page []store.Product
	for _, product := range f.products {
		if product.ID > after && len(page) < limit {
			page = append(page, product)
		}
	}
	return page, f.err
}

func (f *fakeStore) Update(_ context.Context, product store.Product) (store.Product, error) {
	i := f.index(product.ID)
	switch {
	case f.err != nil || i < 0:
		return store.Product{}, cmp.Or(f.err, store.ErrNotFound)
	case f.products[i].Version != product.Version:
		return store.Product{}, store.ErrChanged
	}
	product.Version++
	f.products[i] = product
	return product, nil
}

func (f *fakeStore) Delete(_ context.Context, id string) error {
	f.products = slices.DeleteFunc(f.products, func(p store.Product) bool { return p.ID == id })
	return f.err
}

func (f *fakeStore) index(id string) int {
	return slices.IndexFunc(f.products, func(p store.Product) bool { return p.ID == id })
}

const tea = `{"sku": "tea", "name": "Tea", "price": {"amount": "12.50", "currency": "EUR"}}`

func TestCreatedProductCanBeGot(t *testing.T) {
	h := serveStore(t, &fakeStore{})
	var created, got api.Product
	call(t, h, "POST", "/v1/products", tea, http.StatusCreated, &created)
	if created.ID == "" || created.Version != 1 || created.Price != (api.Money{Amount: "12.50", Currency: "EUR"}) {
		t.Errorf("created %+v", created)
	}
	call(t, h, "GET", "/v1/products/"+created.ID, "", http.StatusOK, &got)
	if got != created {
		t.Errorf("got %+v, want %+v", got, created)
	}
}

func TestCreateProductRefusesWhatTheContractDoesNotAllow(t *testing.T) {
	h := serveStore(t, &fakeStore{})
	for name, body := range map[string]string{
		"nothing":             `{}`,
		"no price":            `{"sku": "tea", "name": "Tea"}`,
		"a number for amount": `{"sku": "tea", "name": "Tea", "price": {"amount": 12.5, "currency": "EUR"}}`,
		"a negative amount":   `{"sku": "tea", "name": "Tea", "price": {"amount": "-1", "currency": "EUR"}}`,
		"three decimals":      `{"sku": "tea", "name": "Tea", "price": {"amount": "1.005", "currency": "EUR"}}`,
		"half a yen":          `{"sku": "tea", "name": "Tea", "price": {"amount": "1.5", "currency": "JPY"}}`,
		"no such currency":    `{"sku": "tea", "name": "Tea", "price": {"amount": "1", "currency": "euro"}}`,
		"an empty sku":        `{"sku": "", "name": "Tea", "price": {"amount": "1", "currency": "EUR"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var refused problem.Problem
			call(t, h, "POST", "/v1/products", body, http.StatusUnprocessableEntity, &refused)
			if len(refused.Errors) == 0 {
				t.Errorf("a problem that names no field: %+v", refused)
			}
		})
	}
}

func TestUpdateProduct(t *testing.T) {
	h := serveStore(t, &fakeStore{})
	var created, updated api.Product
	call(t, h, "POST", "/v1/products", tea, http.StatusCreated, &created)
	path := "/v1/products/" + created.ID
	change := strings.Replace(tea, "12.50", "9.99", 1)
	call(t, h, "PUT", path+"?version=1", change, http.StatusOK, &updated)
	if updated.Version != 2 || updated.Price.Amount != "9.99" {
		t.Errorf("updated %+v", updated)
	}
	var refused problem.Problem
	call(t, h, "PUT", path+"?version=1", tea, http.StatusConflict, &refused)
	if refused.Code != "product_changed" {
		t.Errorf("code %q", refused.Code)
	}
	call(t, h, "PUT", path, tea, http.StatusBadRequest, &refused) // no version
	call(t, h, "PUT", "/v1/products/unknown?version=1", tea, http.StatusNotFound, &refused)
}

func TestDeletedProductIsGone(t *testing.T) {
	h := serveStore(t, &fakeStore{})
	var created api.Product
	call(t, h, "POST", "/v1/products", tea, http.StatusCreated, &created)
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("DELETE", "/v1/products/"+created.ID, nil))
		if w.Code != http.StatusNoContent {
			t.Errorf("status %d, want %d", w.Code, http.StatusNoContent)
		}
	}
	var missing problem.Problem
	call(t, h, "GET", "/v1/products/"+created.ID, "", http.StatusNotFound, &missing)
	if missing.Code != "product_not_found" {
		t.Errorf("code %q", missing.Code)
	}
}

func TestCreateProductWithASKUThatIsTaken(t *testing.T) {
	var refused problem.Problem
	call(t, serveStore(t, &fakeStore{err: store.ErrTaken}), "POST", "/v1/products", tea, http.StatusConflict, &refused)
	if refused.Code != "sku_taken" {
		t.Errorf("code %q", refused.Code)
	}
}

func TestGetProductTellsNothingOfAFailingStore(t *testing.T) {
	var failed problem.Problem
	h := serveStore(t, &fakeStore{err: errors.New("secret of the store")})
	call(t, h, "GET", "/v1/products/1", "", http.StatusInternalServerError, &failed)
	if strings.Contains(failed.Detail, "secret") {
		t.Errorf("detail %q", failed.Detail)
	}
}

func TestListProductsPageByPage(t *testing.T) {
	kept := &fakeStore{}
	for _, id := range []string{"1", "2", "3"} {
		kept.products = append(kept.products, store.Product{ID: id, Name: "Tea"})
	}
	h := serveStore(t, kept)
	var ids []string
	for path := "/v1/products?limit=2"; path != ""; {
		var page struct {
			Items []api.Product
			Next  string
		}
		call(t, h, "GET", path, "", http.StatusOK, &page)
		for _, product := range page.Items {
			ids = append(ids, product.ID)
		}
		path = ""
		if page.Next != "" {
			path = "/v1/products?limit=2&after=" + page.Next
		}
	}
	if want := []string{"1", "2", "3"}; !slices.Equal(ids, want) {
		t.Errorf("listed %v, want %v", ids, want)
	}
}

func TestListProductsOfSomeIDs(t *testing.T) {
	kept := &fakeStore{}
	for _, id := range []string{"1", "2", "3"} {
		kept.products = append(kept.products, store.Product{ID: id, Name: "Tea"})
	}
	h := serveStore(t, kept)
	var page struct {
		Items []api.Product
		Next  *string
	}
	call(t, h, "GET", "/v1/products?ids=3,gone,1,3&limit=1", "", http.StatusOK, &page)
	var ids []string
	for _, product := range page.Items {
		ids = append(ids, product.ID)
	}
	if want := []string{"3", "1"}; !slices.Equal(ids, want) || page.Next != nil {
		t.Errorf("listed %v, want %v; next %v", ids, want, page.Next)
	}
	var refused problem.Problem
	call(t, h, "GET", "/v1/products?ids=1&after=1", "", http.StatusBadRequest, &refused)
	if refused.Code != "ids_have_no_pages" {
		t.Errorf("code %q", refused.Code)
	}
	call(t, h, "GET", "/v1/products?ids="+strings.Repeat("x,", 100)+"x", "", http.StatusBadRequest, &refused)
}

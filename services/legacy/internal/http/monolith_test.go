package http_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/legacytest"
)

// ask sends a request, checks the status and the media type, and reads the answer into out, if there is one.
func ask(t *testing.T, h http.Handler, method, path, body string, status int, mediaType string, out any) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Header().Get("Content-Type"); w.Code != status || got != mediaType {
		t.Fatalf("%s %s: status %d, want %d; %s, want %s; %s", method, path, w.Code, status, got, mediaType, w.Body)
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w.Body.String()
}

const (
	plain   = "application/json"
	problem = "application/problem+json"
	cup     = `{"product_id": "p1", "product_code": "C1", "title": "Cup", "long_text": "Holds tea.", "price_cents": 1999, "currency_code": "EUR"}`
)

func TestTheMonolithKeepsProducts(t *testing.T) {
	g := legacytest.New(t)
	var put, got api.OldProduct
	ask(t, g, "PUT", "/monolith/products/p1", cup, 200, plain, &put)
	ask(t, g, "PUT", "/monolith/products/p1", cup, 200, plain, &put)
	ask(t, g, "GET", "/monolith/products/p1", "", 200, plain, &got)
	if got.Revision == nil || *got.Revision != 1 || got.PriceCents != 1999 || *got.LongText != "Holds tea." || got.ProductCode != "C1" || got.Title != "Cup" {
		t.Errorf("got %+v", got)
	}
	var page api.OldProductPage
	ask(t, g, "GET", "/monolith/products", "", 200, plain, &page)
	if page.Page != 1 || page.Total != 1 || len(page.Products) != 1 || page.Products[0].ProductID != "p1" {
		t.Errorf("page %+v", page)
	}
	if text := ask(t, g, "GET", "/monolith/products?page=2&per_page=1", "", 200, plain, &page); !strings.Contains(text, `"products":[]`) || page.Page != 2 {
		t.Errorf("the page after the last is %s", text)
	}
}

func TestTheMonolithRefuses(t *testing.T) {
	g := legacytest.New(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/monolith/products/p1", "", 404, "product_not_found"},
		{"GET", "/monolith/suppliers/p1", "", 404, "supplier_not_found"},
		{"PUT", "/monolith/products/p2", cup, 422, "product_id_differs"},
		{"PUT", "/monolith/products/p1", strings.Replace(cup, "1999", "19.99", 1), 422, "invalid_body"},
		{"GET", "/monolith/products?page=0", "", 400, "invalid_parameters"},
		{"GET", "/feeds/sport", "", 400, "invalid_parameters"},
	} {
		var told struct{ Code string }
		if ask(t, g, c.method, c.path, c.body, c.status, problem, &told); told.Code != c.code {
			t.Errorf("%s %s: code %q, want %q", c.method, c.path, told.Code, c.code)
		}
	}
}

func TestTheMonolithShowsSuppliers(t *testing.T) {
	g := legacytest.New(t)
	var page api.SupplierPage
	ask(t, g, "GET", "/monolith/suppliers?per_page=7&page=3", "", 200, plain, &page)
	if page.Total != 20 || len(page.Suppliers) != 6 || page.Suppliers[5].CompanyName != "Thessaly Honey" {
		t.Errorf("page %+v", page)
	}
	var one api.Supplier
	if ask(t, g, "GET", "/monolith/suppliers/sup-009", "", 200, plain, &one); one.City != "Poreč" {
		t.Errorf("supplier %+v", one)
	}
}

func TestFeedsAreServed(t *testing.T) {
	g := legacytest.New(t)
	for _, name := range []string{"shop", "trade", "city"} {
		text := ask(t, g, "GET", "/feeds/"+name, "", 200, "application/rss+xml", nil)
		if !strings.HasPrefix(text, "<?xml ") || !strings.Contains(text, `<rss version="2.0">`) {
			t.Errorf("%s is %.80s", name, text)
		}
	}
}

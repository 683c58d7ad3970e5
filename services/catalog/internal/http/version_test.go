package http

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// green is a product of which every member has something.
func green() store.Product {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	return store.Product{
		ID: "1", SKU: "tea-1", Name: "Grüner Tee, 100 g", Description: "Green", Price: store.Price{Amount: "12.50", Currency: "EUR"},
		Version: 3, CreatedAt: at, UpdatedAt: at,
	}
}

// v1 is the product as version 1 has always had it; v2 has more.
var (
	v1 = map[string]any{
		"id": "1", "sku": "tea-1", "name": "Grüner Tee, 100 g", "description": "Green", "price": map[string]any{"amount": "12.50", "currency": "EUR"},
		"version": 3.0, "createdAt": "2026-01-02T03:04:05.000006Z", "updatedAt": "2026-01-02T03:04:05.000006Z",
	}
	v2 = func() map[string]any {
		m := maps.Clone(v1)
		m["slug"] = "gruner-tee-100-g"
		m["prices"] = []any{map[string]any{"amount": "12.50", "currency": "EUR"}}
		return m
	}()
)

// TestThreeWaysInToEachVersion asks for each version in each way, and gets the same product from one handler.
func TestThreeWaysInToEachVersion(t *testing.T) {
	h := serveStore(t, &fakeStore{products: []store.Product{green()}})
	for name, test := range map[string]struct {
		prefix, header, accept string
		want                   map[string]any
		mediaType              string
	}{
		"1 by default":             {"", "", "", v1, "application/json"},
		"1 by the path":            {"/v1", "", "", v1, "application/json"},
		"1 by the header":          {"", "1", "", v1, "application/json"},
		"1 by the media type":      {"", "", "application/vnd.trellis.v1+json", v1, "application/vnd.trellis.v1+json"},
		"2 by the path":            {"/v2", "", "", v2, "application/json"},
		"2 by the header":          {"", "2", "", v2, "application/json"},
		"2 by the media type":      {"", "", "application/vnd.trellis.v2+json", v2, "application/vnd.trellis.v2+json"},
		"2 by all of them":         {"/v2", "2", "application/vnd.trellis.v2+json", v2, "application/vnd.trellis.v2+json"},
		"2 by header, over others": {"", "2", "text/html, */*;q=0.1", v2, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			for path, read := range map[string]func(body []byte) any{
				"/products/1":     func(body []byte) any { return decode[map[string]any](t, body) },
				"/products":       func(body []byte) any { return decode[struct{ Items []map[string]any }](t, body).Items[0] },
				"/products?ids=1": func(body []byte) any { return decode[struct{ Items []map[string]any }](t, body).Items[0] },
			} {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.prefix+path, nil)
				if test.header != "" {
					r.Header.Set("api-version", test.header)
				}
				if test.accept != "" {
					r.Header.Set("Accept", test.accept)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					t.Fatalf("%s: status %d, %s", path, w.Code, w.Body)
				}
				if diff := cmp.Diff(any(test.want), read(w.Body.Bytes())); diff != "" {
					t.Errorf("%s: %s", path, diff)
				}
				if got := w.Header().Get("Content-Type"); got != test.mediaType {
					t.Errorf("%s: content type %q, want %q", path, got, test.mediaType)
				}
				deprecated := w.Header().Get("Deprecation") == "@1796083200" && w.Header().Get("Sunset") == "Wed, 01 Dec 2027 00:00:00 GMT"
				if old := test.want["slug"] == nil; old != deprecated {
					t.Errorf("%s: headers %v", path, w.Header())
				}
			}
		})
	}
}

func decode[T any](t *testing.T, body []byte) (into T) {
	t.Helper()
	if err := json.Unmarshal(body, &into); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return into
}

func TestVersionsThatThereAreNotAreRefused(t *testing.T) {
	h := serveStore(t, &fakeStore{products: []store.Product{green()}})
	for name, test := range map[string]struct {
		path, header, accept string
		status               int
	}{
		"by the path":             {"/v3/products/1", "", "", http.StatusNotFound},
		"by the header":           {"/products/1", "3", "", http.StatusBadRequest},
		"by the media type":       {"/products/1", "", "application/vnd.trellis.v3+json", http.StatusNotAcceptable},
		"path against header":     {"/v1/products", "2", "", http.StatusBadRequest},
		"path against media type": {"/v2/products", "", "application/vnd.trellis.v1+json", http.StatusNotAcceptable},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.path, nil)
			if test.header != "" {
				r.Header.Set("api-version", test.header)
			}
			if test.accept != "" {
				r.Header.Set("Accept", test.accept)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != test.status || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("status %d, want %d; %s", w.Code, test.status, w.Body)
			}
		})
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Tea": "tea", "  Green   Tea! ": "green-tea", "Crème brûlée": "creme-brulee", "Weiß & Groß": "weiss-gross", "Ærø": "aero",
		"½ kg": "1-2-kg", "緑茶": "sku-1", "": "sku-1",
	} {
		if got := slug(store.Product{ID: "1", SKU: "SKU 1", Name: name}); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := slug(store.Product{ID: "1", SKU: "緑", Name: "茶"}); got != "1" {
		t.Errorf("%q", got)
	}
}

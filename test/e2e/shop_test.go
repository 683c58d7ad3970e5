package e2e

import (
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/local/otlp"
)

func TestOrderIsTakenAtThePricesOfTheCatalog(t *testing.T) {
	p := start(t, local.Options{})
	ada, tea := customer(t, p, "Ada"), product(t, p, "tea", "12.50")

	status, placed := place(t, p, ada, tea)
	if status != http.StatusCreated || placed.Total.Amount != "25.00" || placed.Customer.Name != "Ada" {
		t.Fatalf("status %d, order %+v", status, placed)
	}
	var got order
	status = get(t, p, "orders", "/v1/orders/"+placed.ID, &got)
	got.Status, got.Reason, placed.Status = nil, "", nil // it may have been settled meanwhile
	if status != http.StatusOK || got != placed {
		t.Errorf("status %d, order %+v, want %+v", status, got, placed)
	}
	if status, refused := place(t, p, ada, "unknown"); status != http.StatusUnprocessableEntity || refused.Code != "product_not_found" {
		t.Errorf("status %d, problem %+v", status, refused)
	}
	if status, refused := place(t, p, "unknown", tea); status != http.StatusUnprocessableEntity || refused.Code != "customer_not_found" {
		t.Errorf("status %d, problem %+v", status, refused)
	}

	t.Run("the contracts' security is enforced", func(t *testing.T) {
		refuses(t, p, ada, tea)
	})
	t.Run("one trace crosses the calls", func(t *testing.T) {
		seen := func(tr otlp.Trace) bool {
			return tr.Service("orders") && tr.Service("catalog") && tr.Service("users")
		}
		if _, err := p.Traces().Wait(t.Context(), seen); err != nil {
			t.Error(err)
		}
	})
	t.Run("one trace crosses the event", func(t *testing.T) {
		seen := func(tr otlp.Trace) bool {
			return tr.Service("users") && slices.ContainsFunc(tr.Spans, func(s otlp.Span) bool { return s.Service == "orders" && s.Kind == "consumer" })
		}
		if _, err := p.Traces().Wait(t.Context(), seen); err != nil {
			t.Error(err)
		}
	})
	t.Run("what the event told is enough while users is away", func(t *testing.T) {
		if err := p.Kill("users", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "an order without users", func() bool {
			status, placed := place(t, p, ada, tea)
			return status == http.StatusCreated && placed.Customer.Name == "Ada"
		})
	})
}

// refuses checks that what a token does not allow is refused, by the service that is called and by those that it calls.
func refuses(t *testing.T, p *shop, customer, product string) {
	t.Helper()
	orders, catalog := p.Service("orders").URL+"/v1/orders", p.Service("catalog").URL+"/v1/products"
	order := map[string]any{"customerId": customer, "items": []any{map[string]any{"productId": product, "quantity": 1}}}
	bearer := func(scopes ...string) string {
		token, err := p.Token(t.Context(), scopes...)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + token
	}
	for _, test := range []struct {
		method, url, authorization string
		body                       any
		status                     int
		code                       string
	}{
		{"GET", catalog, "", nil, http.StatusOK, ""},
		{"POST", catalog, "", map[string]any{}, http.StatusUnauthorized, "token_missing"},
		{"POST", orders, "Bearer a.b.c", order, http.StatusUnauthorized, "invalid_token"},
		{"POST", orders, bearer("orders:read"), order, http.StatusForbidden, "insufficient_scope"},
		{"POST", orders, bearer("orders:write"), order, http.StatusForbidden, "customer_hidden"}, // by users, whom orders asks in the caller's name
		{"POST", orders, bearer("orders:write", "users:read"), order, http.StatusCreated, ""},
		{"GET", p.Service("users").URL + "/v1/users/" + customer, bearer("orders:write"), nil, http.StatusForbidden, "insufficient_scope"},
		{"GET", p.Service("users").URL + "/v1/users/" + customer, bearer("users:read"), nil, http.StatusOK, ""},
	} {
		resp, err := send(test.method, test.url, test.authorization, test.body)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Code string }
		if status := decode(t, resp, &answer); status != test.status || answer.Code != test.code {
			t.Errorf("%s %s: status %d, code %q; want %d, %q", test.method, test.url, status, answer.Code, test.status, test.code)
		}
	}
}

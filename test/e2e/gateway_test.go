package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/local/otlp"
)

func TestTheGatewayIsTheOneDoor(t *testing.T) {
	flags := filepath.Join(t.TempDir(), "flags.yaml")
	flip := func(value string) {
		t.Helper()
		if err := os.WriteFile(flags+".next", []byte("flags: {gateway.products: {value: "+value+"}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(flags+".next", flags); err != nil {
			t.Fatal(err)
		}
	}
	flip("new")
	p := start(t, local.Options{Services: []string{"gateway"}, ServiceEnv: map[string]map[string]string{"gateway": {"APP_FLAGS_FILE": flags}}})

	var ada, tea, cup struct{ ID string }
	sent := func(path string, body, answer any) {
		t.Helper()
		if status := post(t, p, "gateway", path, body, answer); status != http.StatusCreated {
			t.Fatalf("POST %s: status %d, %+v", path, status, answer)
		}
	}
	product := func(name string) map[string]any {
		return map[string]any{"sku": name, "name": name, "price": map[string]string{"amount": "12.50", "currency": "EUR"}}
	}
	sent("/api/users", map[string]string{"name": "Ada", "email": "ada@example.com"}, &ada)
	sent("/api/products", product("tea"), &tea)
	sent("/api/products", product("cup"), &cup)
	var placed order
	sent("/api/orders", map[string]any{"customerId": ada.ID, "items": []any{map[string]any{"productId": tea.ID, "quantity": 2}}}, &placed)
	if placed.Total.Amount != "25.00" || placed.Customer.Name != "Ada" {
		t.Errorf("order %+v", placed)
	}
	for _, path := range []string{
		"/api/users/" + ada.ID, "/api/products", "/api/products/" + tea.ID, "/api/orders/" + placed.ID, "/api/orders?customerId=" + ada.ID,
		"/api/orders/" + placed.ID + "/details", "/api/dashboard?userId=" + ada.ID, "/api/mobile/dashboard?userId=" + ada.ID, "/api/suppliers", "/api/suppliers/sup-001",
	} {
		var answer map[string]any
		if status := get(t, p, "gateway", path, &answer); status != http.StatusOK || len(answer) == 0 {
			t.Errorf("GET %s: status %d, %v", path, status, answer)
		}
	}
	var page struct{ Items []struct{ ID, Name string } }
	if status := get(t, p, "gateway", fmt.Sprintf("/api/products?ids=%s,nobody,%s", cup.ID, tea.ID), &page); status != http.StatusOK || len(page.Items) != 2 || page.Items[0].ID != cup.ID {
		t.Errorf("status %d, page %+v", status, page)
	}
	seen := func(tr otlp.Trace) bool {
		return tr.Service("gateway") && tr.Service("catalog") && slices.ContainsFunc(tr.Spans, func(s otlp.Span) bool { return s.Service == "orders" && s.Kind == "server" })
	}
	if _, err := p.Traces().Wait(t.Context(), seen); err != nil {
		t.Error("no trace goes from the gateway through orders to the catalog: ", err)
	}

	old := map[string]any{"product_id": tea.ID, "product_code": "tea", "title": "tea, of old", "price_cents": 1250, "currency_code": "EUR"}
	var kept map[string]any
	if status := exchange(t, p, http.MethodPut, "legacy", "/monolith/products/"+tea.ID, old, &kept); status != http.StatusOK {
		t.Fatalf("status %d, %v", status, kept)
	}
	for _, turn := range []struct{ value, name string }{{"legacy", "tea, of old"}, {"new", "tea"}} {
		flip(turn.value)
		eventually(t, 20*time.Second, "the answer of "+turn.value, func() bool {
			var answer struct{ ID, Name string }
			status := get(t, p, "gateway", "/api/products/"+tea.ID, &answer)
			return status == http.StatusOK && answer.ID == tea.ID && answer.Name == turn.name
		})
	}
}

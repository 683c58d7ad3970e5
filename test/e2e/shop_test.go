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
	if status := get(t, p.Service("orders").URL+"/v1/orders/"+placed.ID, &got); status != http.StatusOK || got != placed {
		t.Errorf("status %d, order %+v, want %+v", status, got, placed)
	}
	if status, refused := place(t, p, ada, "unknown"); status != http.StatusUnprocessableEntity || refused.Code != "product_not_found" {
		t.Errorf("status %d, problem %+v", status, refused)
	}
	if status, refused := place(t, p, "unknown", tea); status != http.StatusUnprocessableEntity || refused.Code != "customer_not_found" {
		t.Errorf("status %d, problem %+v", status, refused)
	}

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

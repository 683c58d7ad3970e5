package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
)

// TestOrderIsCompletedOrCancelledByEvents follows orders through inventory and payments: each service does its part when it is told of
// the part before, and what one of them cannot do is given back by the others.
func TestOrderIsCompletedOrCancelledByEvents(t *testing.T) {
	completesOrCancels(t, start(t, local.Options{}), "choreography")
}

// TestOrderIsCompletedOrCancelledBySaga has orders ask each of the others, and undo what came before a no.
func TestOrderIsCompletedOrCancelledBySaga(t *testing.T) {
	completesOrCancels(t, start(t, local.Options{ServiceEnv: fulfilledBy("orchestration")}), "orchestration")
}

// TestOrderIsCompletedOrCancelledInTwoPhases has all of them promise their part before anybody does it.
func TestOrderIsCompletedOrCancelledInTwoPhases(t *testing.T) {
	completesOrCancels(t, start(t, local.Options{ServiceEnv: fulfilledBy("two-phase")}), "two-phase")
}

// fulfilledBy sets the flag of orders for everybody.
func fulfilledBy(way string) map[string]map[string]string {
	return map[string]map[string]string{"orders": {"APP_FLAGS_SET": "orders.fulfilment=" + way}}
}

// completesOrCancels follows orders until they are settled, and looks at what they leave in the services.
func completesOrCancels(t *testing.T, p *shop, way string) {
	t.Helper()
	ada, tea, sold := customer(t, p, "Ada"), product(t, p, "tea", "12.50"), product(t, p, "cocoa", "3.00")
	stock(t, p, tea, 10)
	pays, spent, declined := card(t, p, ada, "4111111111111111"), card(t, p, ada, "4000000000000341"), "4000000000000002"

	paid := settled(t, p, placeOn(t, p, ada, tea, pays))
	if paid.Status != "completed" || paid.Reason != "" || paid.Fulfilment != way {
		t.Errorf("an order that is in stock and paid is %+v", paid)
	}
	wantStock(t, p, tea, 8, 0)
	wantShipped(t, p, paid.ID)
	eventually(t, 30*time.Second, "the order is paid", func() bool { return payment(t, p, paid.ID).Status == "succeeded" })
	if got := payment(t, p, paid.ID); got.Amount.Amount != "25.00" {
		t.Errorf("its payment is %+v", got)
	}
	invoiced := settled(t, p, placeOn(t, p, ada, tea, ""))
	if invoiced.Status != "completed" {
		t.Errorf("an order on invoice is %+v", invoiced)
	}
	wantStock(t, p, tea, 6, 0)

	if gone := settled(t, p, placeOn(t, p, ada, sold, pays)); gone.Status != "cancelled" || gone.Reason != "stock_insufficient" {
		t.Errorf("an order that is not in stock is %+v", gone)
	}

	// A card that the gateway declines cannot be registered; one that it declines later is found out when the order is paid.
	var refused struct{ Code string }
	if status := post(t, p, "payments", "/v1/payment-methods", newCard(ada, declined), &refused); status < 400 || status >= 500 {
		t.Errorf("a declined card: status %d, %+v", status, refused)
	}
	for _, method := range []string{"no-such-method", spent} {
		lost := settled(t, p, placeOn(t, p, ada, tea, method))
		if lost.Status != "cancelled" || lost.Reason == "" {
			t.Errorf("an order that cannot be paid is %+v", lost)
		}
		wantStock(t, p, tea, 6, 0)
		wantNotShipped(t, p, lost.ID)
	}
	wantSummary(t, p, ada, []string{paid.ID, invoiced.ID}, 5, "50.00")
}

// placeOn orders two pieces of a product, to be paid by a method; the empty one is the default.
func placeOn(t *testing.T, p *shop, customer, product, method string) string {
	t.Helper()
	body := map[string]any{"customerId": customer, "items": []any{map[string]any{"productId": product, "quantity": 2}}}
	if method != "" {
		body["paymentMethod"] = method
	}
	var placed order
	if status := post(t, p, "orders", "/v1/orders", body, &placed); status != http.StatusCreated || placed.Status != "confirmed" {
		t.Fatalf("status %d, %+v", status, placed)
	}
	return placed.ID
}

// settled waits until an order is completed or cancelled.
func settled(t *testing.T, p *shop, id string) (got order) {
	t.Helper()
	eventually(t, 30*time.Second, "the order is settled", func() bool {
		if status := get(t, p, "orders", "/v1/orders/"+id, &got); status != http.StatusOK {
			t.Fatalf("status %d, %+v", status, got)
		}
		return got.Status != "confirmed"
	})
	return got
}

func newCard(customer, number string) map[string]any {
	return map[string]any{"customerId": customer, "card": map[string]any{"number": number, "expiryMonth": 12, "expiryYear": 2099, "cvv": "123"}}
}

// card registers a card and gives the id of the payment method.
func card(t *testing.T, p *shop, customer, number string) string {
	t.Helper()
	var method struct{ ID, Last4 string }
	if status := post(t, p, "payments", "/v1/payment-methods", newCard(customer, number), &method); status != http.StatusCreated || method.Last4 != number[len(number)-4:] {
		t.Fatalf("status %d, %+v", status, method)
	}
	return method.ID
}

// stocked is what the tests look at in the stock of a product.
type stocked struct{ OnHand, Reserved int }

// stock sets how many pieces there are of a product.
func stock(t *testing.T, p *shop, product string, pieces int) {
	t.Helper()
	var got stocked
	if status := exchange(t, p, http.MethodPut, "inventory", "/v1/stock/"+product, map[string]any{"onHand": pieces}, &got); status != http.StatusOK || got.OnHand != pieces {
		t.Fatalf("status %d, stock %+v", status, got)
	}
}

// wantStock waits until what is told of orders has reached inventory.
func wantStock(t *testing.T, p *shop, product string, onHand, reserved int) {
	t.Helper()
	var got stocked
	eventually(t, 30*time.Second, "the stock is as the orders leave it", func() bool {
		get(t, p, "inventory", "/v1/stock/"+product, &got)
		return got == stocked{onHand, reserved}
	})
}

func wantShipped(t *testing.T, p *shop, order string) {
	t.Helper()
	var got struct {
		OrderID string
		Status  any // a problem's, as long as there is no shipment, is a number
	}
	eventually(t, 30*time.Second, "the order is shipped", func() bool {
		return get(t, p, "shipping", "/v1/shipments/"+order, &got) == http.StatusOK
	})
	if got.OrderID != order || got.Status != "arranged" {
		t.Errorf("the shipment is %+v", got)
	}
}

// wantNotShipped checks that the shipment of a cancelled order, if there ever was one, is cancelled.
func wantNotShipped(t *testing.T, p *shop, order string) {
	t.Helper()
	var got struct{ Status any }
	if status := get(t, p, "shipping", "/v1/shipments/"+order, &got); status != http.StatusNotFound && got.Status != "cancelled" {
		t.Errorf("the shipment of a cancelled order: status %d, %+v", status, got)
	}
}

// paidFor is what the tests look at in a payment.
type paidFor struct {
	Status string
	Amount struct{ Amount string }
}

func payment(t *testing.T, p *shop, order string) (got paidFor) {
	t.Helper()
	if status := get(t, p, "payments", "/v1/payments/"+order, &got); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	return got
}

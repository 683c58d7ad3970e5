package announce_test

import (
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/internal/announce"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

func TestConsumersCanReadTheEvents(t *testing.T) {
	price, err := money.New("12.50", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	order := domain.Snapshot{
		ID: "o1", Customer: domain.Customer{ID: "ada", Name: "Ada"}, Total: price, Payment: domain.Payment{Method: domain.Invoice, Amount: price},
		Items:    []domain.Item{{ProductID: "tea", Name: "Tea", Quantity: 1, UnitPrice: price}},
		Shipping: domain.Shipping{Address: "Main Street 1"}, CreatedAt: at, ConfirmedAt: at, SettledAt: at, PaidAt: at,
	}
	told, err := announce.Events(order, []domain.Event{domain.OrderConfirmed{}, domain.OrderCompleted{}, domain.OrderCancelled{}, domain.OrderPaid{}})
	if err != nil {
		t.Fatal(err)
	}
	published := map[string][]byte{}
	for _, e := range told {
		published[e.Type()] = e.Data()
	}
	expecttest.VerifyEvents(t, "orders", published)
}

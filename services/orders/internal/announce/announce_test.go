package announce

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// TestOthersAreToldOfOrdersAndNotOfDrafts records everything that can happen to an order.
func TestOthersAreToldOfOrdersAndNotOfDrafts(t *testing.T) {
	total, err := money.New("25.00", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	order := domain.Snapshot{
		ID: "1", Customer: domain.Customer{ID: "ada"}, Total: total, Payment: domain.Payment{Method: "m1", Amount: total},
		CreatedAt: at.Add(-time.Hour), ConfirmedAt: at, PaidAt: at.Add(time.Hour),
	}
	told, err := Events(order, []domain.Event{
		domain.OrderDrafted{}, domain.ItemAdded{}, domain.ItemRemoved{}, domain.PaymentSet{}, domain.PaymentCleared{}, domain.ShippingSet{},
		domain.OrderConfirmed{}, domain.OrderCompleted{}, domain.OrderCancelled{}, domain.PaymentBegun{}, domain.PaymentGivenUp{}, domain.OrderPaid{},
	})
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range told {
		types = append(types, e.Type()+" of "+e.Subject())
	}
	want := []string{api.OrderCreatedV1Type + " of 1", api.OrderCompletedV1Type + " of 1", api.OrderCancelledV1Type + " of 1", api.OrderPaidV1Type + " of 1"}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
	created, err := event.Decode[api.OrderCreatedV1](told[0])
	if err != nil || !created.CreatedAt.Equal(at) { // to others it begins when it is placed
		t.Errorf("created %+v, %v", created, err)
	}
	paid, err := event.Decode[api.OrderPaidV1](told[3])
	if err != nil || paid.CustomerID != "ada" || paid.PaymentMethod != "m1" || paid.Total.Amount != "25.00" || !paid.PaidAt.Equal(order.PaidAt) {
		t.Errorf("paid %+v, %v", paid, err)
	}
}

type unheardOf struct{ domain.OrderPaid }

func TestAnEventThatNobodyThoughtOfIsAnError(t *testing.T) {
	if told, err := Events(domain.Snapshot{}, []domain.Event{unheardOf{}}); err == nil || !strings.Contains(err.Error(), "unheardOf") {
		t.Errorf("told %v, %v", told, err)
	}
}

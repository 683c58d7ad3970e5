package announce_test

import (
	"errors"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/event"
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
	order, err := domain.NewOrder("o1", domain.Customer{ID: "ada", Name: "Ada"}, []domain.Item{{ProductID: "tea", Name: "Tea", Quantity: 2, UnitPrice: price}},
		domain.Terms{PaymentMethod: "invoice", ShippingAddress: "Main Street 1"}, at)
	if err != nil {
		t.Fatal(err)
	}
	published := map[string][]byte{}
	publish := func(e event.Event, err error) error {
		if err == nil {
			published[e.Type()] = e.Data()
		}
		return err
	}
	if err := errors.Join(publish(announce.Created(order)), publish(announce.Completed(order)), publish(announce.Cancelled(order))); err != nil {
		t.Fatal(err)
	}
	expecttest.VerifyEvents(t, "orders", published)
}

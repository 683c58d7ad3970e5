package consumer_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
)

func TestTheEndOfAnOrderTakesOrReleasesItsStockOnce(t *testing.T) {
	for typ, onHand := range map[string]int{api.OrderCompletedV1Type: 7, api.OrderCancelledV1Type: 10, api.PaymentFailedV1Type: 10} {
		l, e := newLab(t), ended(t, typ, "1")
		if err := l.OrderCreatedV1(t.Context(), created(t, "1", 3, 0)); err != nil {
			t.Fatal(err)
		}
		for _, again := range []event.Event{e, e, ended(t, typ, "1")} {
			if err := l.handle(t.Context(), again); err != nil {
				t.Errorf("%s: %v", typ, err)
			}
		}
		l.expect(t, "tea", onHand, 0)
	}
}

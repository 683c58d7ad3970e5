package consumer_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
)

func TestAnOrderThatIsCompletedAndCancelledIsForAPersonToSee(t *testing.T) {
	ends := []string{api.OrderCompletedV1Type, api.OrderCancelledV1Type, api.PaymentFailedV1Type}
	for _, first := range ends {
		for _, second := range ends {
			if (first == api.OrderCompletedV1Type) == (second == api.OrderCompletedV1Type) {
				continue
			}
			l := newLab(t)
			for _, e := range []event.Event{created(t, "1", 3, 0), ended(t, first, "1")} {
				if err := l.handle(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.handle(t.Context(), ended(t, second, "1")); !event.IsPermanent(err) {
				t.Errorf("%s after %s: error %v, want a permanent one", second, first, err)
			}
		}
	}
}

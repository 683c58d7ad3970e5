package consumer_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

func TestACompletedOrderIsShippedAndToldOfOnce(t *testing.T) {
	for name, before := range map[string][]domain.Message{
		"choreography": nil, "orchestration": {domain.Arrange}, "two-phase": {domain.Promise, domain.Commit},
		"two-phase, the commit is late": {domain.Promise},
	} {
		t.Run(name, func(t *testing.T) {
			l, e := newLab(t), completed(t, "1")
			for _, m := range before {
				l.say(t, "1", m)
			}
			if told := l.told(t); len(told) != 0 {
				t.Errorf("told before the order is completed: %v", told)
			}
			for _, again := range []event.Event{e, e, completed(t, "1")} {
				if err := l.handle(t.Context(), again); err != nil {
					t.Fatal(err)
				}
			}
			shipment, err := l.shipments.Get(t.Context(), "1")
			if err != nil || shipment.State != domain.Confirmed {
				t.Fatalf("%v and %v", shipment, err)
			}
			if diff := cmp.Diff(parcel, shipment.Parcel); diff != "" {
				t.Error(diff)
			}
			want := map[string][]api.ShipmentCreatedV1{
				"1": {{OrderID: "1", ShipmentID: shipment.ID, CustomerID: "ada", CreatedAt: shipment.CreatedAt}},
			}
			if diff := cmp.Diff(want, l.told(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

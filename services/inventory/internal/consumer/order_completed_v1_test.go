package consumer_test

import (
	"errors"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

func TestOrderCompletedBeforeItsReservationIsTriedAgain(t *testing.T) {
	l, completed := newLab(t), ended(t, api.OrderCompletedV1Type, "1")
	if err := l.OrderCompletedV1(t.Context(), completed); !errors.Is(err, domain.ErrNotReserved) || event.IsPermanent(err) {
		t.Errorf("error %v, want %v", err, domain.ErrNotReserved)
	}
	for _, e := range []event.Event{created(t, "1", 3, 0), completed} {
		if err := l.handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	l.expect(t, "tea", 7, 0)
}

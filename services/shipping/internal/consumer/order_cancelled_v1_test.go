package consumer_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

func TestACancelledOrderIsNotShipped(t *testing.T) {
	for name, before := range map[string][]domain.Message{
		"nothing was arranged": nil, "arranged": {domain.Arrange}, "promised": {domain.Promise}, "committed": {domain.Promise, domain.Commit},
	} {
		t.Run(name, func(t *testing.T) {
			l, e := newLab(t), cancelled(t, "1")
			for _, m := range before {
				l.say(t, "1", m)
			}
			for _, again := range []event.Event{e, e, cancelled(t, "1")} {
				if err := l.handle(t.Context(), again); err != nil {
					t.Fatal(err)
				}
			}
			if shipment := l.say(t, "1", domain.Cancel); shipment.State != domain.Cancelled {
				t.Errorf("%v", shipment)
			}
			if told := l.told(t); len(told) != 0 {
				t.Errorf("told %v", told)
			}
		})
	}
}

func TestAnOrderThatIsCompletedAndCancelledIsForAPersonToSee(t *testing.T) {
	for _, events := range [][]event.Event{{completed(t, "1"), cancelled(t, "1")}, {cancelled(t, "1"), completed(t, "1")}} {
		l := newLab(t)
		if err := l.handle(t.Context(), events[0]); err != nil {
			t.Fatal(err)
		}
		if err := l.handle(t.Context(), events[1]); !event.IsPermanent(err) {
			t.Errorf("%s after %s: error %v, want a permanent one", events[1].Type(), events[0].Type(), err)
		}
	}
}

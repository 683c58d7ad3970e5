package consumer

import (
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/notifications/api"
)

func TestOrderCancelledV1TakesEffectOnce(t *testing.T) {
	c, log := newConsumer(t)
	e, err := event.New(api.OrderCancelledV1Type, "1", api.OrderCancelledV1{})
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	for range 2 {
		if err := c.OrderCancelledV1(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), api.OrderCancelledV1Type); n != 1 {
		t.Errorf("took effect %d times", n)
	}
}

func TestOrderCancelledV1RefusesAnotherPayload(t *testing.T) {
	c, _ := newConsumer(t)
	e, err := event.New(api.OrderCancelledV1Type, "1", []int{1})
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	if err := c.OrderCancelledV1(t.Context(), e); err == nil {
		t.Error("a list was taken for the payload")
	}
}

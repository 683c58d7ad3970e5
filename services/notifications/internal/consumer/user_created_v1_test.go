package consumer

import (
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/notifications/api"
)

func TestUserCreatedV1TakesEffectOnce(t *testing.T) {
	c, log := newConsumer(t)
	e, err := event.New(api.UserCreatedV1Type, "1", api.UserCreatedV1{})
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	for range 2 {
		if err := c.UserCreatedV1(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), api.UserCreatedV1Type); n != 1 {
		t.Errorf("took effect %d times", n)
	}
}

func TestUserCreatedV1RefusesAnotherPayload(t *testing.T) {
	c, _ := newConsumer(t)
	e, err := event.New(api.UserCreatedV1Type, "1", []int{1})
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	if err := c.UserCreatedV1(t.Context(), e); err == nil {
		t.Error("a list was taken for the payload")
	}
}

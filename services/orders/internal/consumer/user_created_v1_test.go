package consumer

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

func userCreated(t *testing.T, payload any) event.Event {
	t.Helper()
	e, err := event.New(api.UserCreatedV1Type, "1", payload)
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	return e
}

func TestUserCreatedV1TakesEffectOnce(t *testing.T) {
	c, kept, _ := newConsumer(t)
	e := userCreated(t, api.UserCreatedV1{ID: "1", Name: "Ada"})
	if err := c.UserCreatedV1(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	// The same event again, as a relay that crashed would send it: whatever it says now, it was handled.
	again := e.Clone()
	if err := again.SetData("application/json", api.UserCreatedV1{ID: "1", Name: "Eve"}); err != nil {
		t.Fatal(err)
	}
	if err := c.UserCreatedV1(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	want := domain.Customer{ID: "1", Name: "Ada"}
	if got, err := kept.Customer(t.Context(), "1"); err != nil || got != want {
		t.Errorf("customer %v and %v, want %v", got, err, want)
	}
}

func TestUserCreatedV1RefusesAnotherPayload(t *testing.T) {
	c, _, _ := newConsumer(t)
	if err := c.UserCreatedV1(t.Context(), userCreated(t, []int{1})); err == nil {
		t.Error("a list was taken for the payload")
	}
}

package consumer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
	"github.com/trellis-mesh/trellis/test/soak"
)

func TestEveryHistoryOfOrdersSettlesOnSQLite(t *testing.T) {
	random := soak.Rand(t)
	for range soak.Rounds(t, 5) {
		settles(t, databasetest.New(t, nil), random)
	}
}

// step is a message or an event that a shipment hears, once it has heard another.
type step struct{ hears, after string }

// histories are what may be heard of an order. Steps that do not wait for each other come in any order, and what was heard may
// be heard again at any time.
var histories = []struct {
	steps   []step
	shipped bool
}{
	{[]step{{"completed", ""}}, true},
	{[]step{{"arrange", ""}, {"completed", "arrange"}}, true},
	{[]step{{"promise", ""}, {"commit", "promise"}, {"completed", "promise"}}, true},
	{[]step{{"cancelled", ""}}, false},
	{[]step{{"arrange", ""}, {"cancelled", ""}}, false},
	{[]step{{"arrange", ""}, {"withdraw", ""}, {"cancelled", ""}}, false},
	{[]step{{"promise", ""}, {"abort", "promise"}, {"cancelled", ""}}, false},
}

// order is one order's history as it is played.
type order struct {
	id      string
	ready   []step
	heard   []string
	events  map[string]event.Event
	shipped bool
}

// settles plays a random history for each of some orders, all at once, and looks at what has come of it.
func settles(t *testing.T, db *database.DB, random *rand.Rand) {
	l := labOn(t, db)
	var orders, open []*order
	for i := range 20 {
		id, h := fmt.Sprint(i), histories[random.IntN(len(histories))]
		orders = append(orders, &order{
			id: id, ready: slices.Clone(h.steps), shipped: h.shipped,
			events: map[string]event.Event{"completed": completed(t, id), "cancelled": cancelled(t, id)},
		})
	}
	for open = slices.Clone(orders); len(open) > 0; {
		i := random.IntN(len(open))
		if open[i].next(t, l, random); len(open[i].ready) == 0 {
			open = slices.Delete(open, i, i+1)
		}
	}
	told := l.told(t)
	for _, o := range orders {
		shipment, err := l.shipments.Get(t.Context(), o.id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		want, announced := domain.Confirmed, 1
		if !o.shipped {
			want, announced = domain.Cancelled, 0
		}
		if errors.Is(err, store.ErrNotFound) && !o.shipped { // cancelled before it began
			shipment.State = domain.Cancelled
		}
		if shipment.State != want || len(told[o.id]) != announced {
			t.Errorf("%v: shipment %v, told %d times", o.heard, shipment, len(told[o.id]))
		}
	}
}

// next lets the order's shipment hear something, perhaps again.
func (o *order) next(t *testing.T, l lab, random *rand.Rand) {
	if n := len(o.heard); n > 0 && random.IntN(3) == 0 {
		o.hear(t, l, o.heard[random.IntN(n)])
		return
	}
	i := random.IntN(len(o.ready))
	if after := o.ready[i].after; after != "" && !slices.Contains(o.heard, after) {
		return
	}
	o.hear(t, l, o.ready[i].hears)
	o.ready = slices.Delete(o.ready, i, i+1)
}

func (o *order) hear(t *testing.T, l lab, what string) {
	o.heard = append(o.heard, what)
	if e, ok := o.events[what]; ok {
		if err := l.handle(t.Context(), e); err != nil {
			t.Fatalf("%v: %v", o.heard, err)
		}
		return
	}
	_, _, err := l.shipments.Handle(t.Context(), o.id, domain.Message(what), parcel)
	// A promise is asked for once: who asks again is given the vote, without a message to the shipment.
	late := errors.Is(err, domain.ErrCancelled) && !o.shipped
	if err != nil && !late && what != "promise" {
		t.Fatalf("%v: %v", o.heard, err)
	}
}

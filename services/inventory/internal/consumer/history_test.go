package consumer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/test/soak"
)

func TestEveryHistoryOfOrdersSettlesOnSQLite(t *testing.T) {
	random := soak.Rand(t)
	for range soak.Rounds(t, 5) {
		settles(t, databasetest.New(t, nil), random)
	}
}

// history is what the others do about some orders, and what is to come of it. It knows nothing of states.
type history struct {
	l       lab
	random  *rand.Rand
	ready   []event.Event     // may arrive next, in any order
	arrived []event.Event     // may arrive again at any time
	needs   map[string][2]int // of an order: tea and milk
	held    map[string]bool   // orders for which there is stock
	over    map[string]bool   // orders that were given up
	stock   [2]domain.Stock
}

// settles plays a random history: orders are paid, not paid, or given up at any time; events of different topics overtake each
// other and come again. After each event the stock must be what the history says.
func settles(t *testing.T, db *database.DB, random *rand.Rand) {
	const orders = 15
	h := &history{
		l: labOn(t, db), random: random, needs: map[string][2]int{}, held: map[string]bool{}, over: map[string]bool{},
		stock: [2]domain.Stock{{ProductID: "tea", OnHand: 20}, {ProductID: "milk", OnHand: 20}},
	}
	for _, stock := range h.stock {
		if _, err := h.l.stock.SetStock(t.Context(), stock.ProductID, stock.OnHand); err != nil {
			t.Fatal(err)
		}
	}
	for i := range orders {
		id := fmt.Sprint(i)
		h.needs[id] = [2]int{1 + random.IntN(3), random.IntN(4)}
		h.ready = append(h.ready, created(t, id, int64(h.needs[id][0]), int64(h.needs[id][1])))
		if random.IntN(4) == 0 { // the customer thinks better of it, and orders is faster than the event of the order
			h.over[id] = true
			h.ready = append(h.ready, ended(t, api.OrderCancelledV1Type, id))
		}
	}
	for len(h.ready) > 0 {
		h.next(t)
		for _, stock := range h.stock {
			h.l.expect(t, stock.ProductID, stock.OnHand, stock.Reserved)
		}
		if t.Failed() {
			t.Fatalf("after %v", h.arrived[len(h.arrived)-1])
		}
	}
	answers := map[string]int{}
	for _, e := range h.l.told(t) {
		answers[e.Subject()]++
	}
	for id := range h.needs {
		if answers[id] != 1 {
			t.Errorf("order %s was answered %d times", id, answers[id])
		}
	}
	for _, stock := range h.stock {
		if stock.Reserved != 0 {
			t.Errorf("%d pieces of %s stay reserved", stock.Reserved, stock.ProductID)
		}
	}
}

// next lets one event arrive, perhaps one that was there before.
func (h *history) next(t *testing.T) {
	if n := len(h.arrived); n > 0 && h.random.IntN(3) == 0 {
		if err := h.l.handle(t.Context(), h.arrived[h.random.IntN(n)]); err != nil {
			t.Fatal(err)
		}
		return
	}
	i := h.random.IntN(len(h.ready))
	e := h.ready[i]
	h.ready = append(h.ready[:i], h.ready[i+1:]...)
	h.arrived = append(h.arrived, e)
	if err := h.l.handle(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	id := e.Subject()
	switch e.Type() {
	case api.OrderCreatedV1Type:
		h.answer(t, id)
	case api.OrderCompletedV1Type:
		h.move(id, 0, -1)
		h.move(id, 1, -1)
		h.held[id] = false
	default:
		if h.held[id] {
			h.move(id, 0, 0)
			h.move(id, 1, 0)
		}
		h.held[id], h.over[id] = false, true
	}
}

// answer is what payments and orders do about the answer to an order.
func (h *history) answer(t *testing.T, id string) {
	cancelled := false
	for _, e := range h.arrived {
		cancelled = cancelled || e.Type() == api.OrderCancelledV1Type && e.Subject() == id
	}
	needs := h.needs[id]
	fits := needs[0] <= h.stock[0].Available() && needs[1] <= h.stock[1].Available()
	if h.held[id] = fits && !cancelled; h.held[id] {
		h.stock[0].Reserved += needs[0]
		h.stock[1].Reserved += needs[1]
	}
	switch {
	case h.over[id]: // somebody cancels it, or has
	case !h.held[id]:
		h.ready = append(h.ready, ended(t, api.OrderCancelledV1Type, id))
	case h.random.IntN(2) == 0:
		h.ready = append(h.ready, ended(t, api.OrderCompletedV1Type, id))
	default:
		h.ready = append(h.ready, ended(t, api.PaymentFailedV1Type, id), ended(t, api.OrderCancelledV1Type, id))
	}
}

// move gives back what an order holds of a product; sold is -1 when it leaves the shelf.
func (h *history) move(id string, product, sold int) {
	h.stock[product].Reserved -= h.needs[id][product]
	h.stock[product].OnHand += sold * h.needs[id][product]
}

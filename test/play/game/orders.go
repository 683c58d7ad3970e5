package game

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/trellis-mesh/trellis/test/market"
)

// Orders are the orders of all people, and what became of them.
type Orders struct {
	clients market.Clients // of somebody who may see all orders

	mu       sync.Mutex
	open     []placed // the oldest first
	placed   int
	outcomes map[string]int
	times    histogram
}

type placed struct {
	id string
	at time.Time
}

// Outcome is what became of the orders.
type Outcome struct {
	Placed   int            `json:"placed"`
	Outcomes map[string]int `json:"outcomes"` // with the reason of those that were cancelled
	Settling int            `json:"settling"`
	P50      float64        `json:"p50Milliseconds"` // from the order to its outcome, as somebody sees it who asks every moment
	P99      float64        `json:"p99Milliseconds"`
}

// NewOrders follows the orders that it is told of.
func NewOrders(clients market.Clients) *Orders {
	return &Orders{clients: clients, outcomes: map[string]int{}}
}

func (o *Orders) add(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.placed++
	o.open = append(o.open, placed{id, time.Now()})
}

// Now is what became of the orders so far.
func (o *Orders) Now() Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	outcomes := map[string]int{}
	for outcome, n := range o.outcomes {
		outcomes[outcome] = n
	}
	return Outcome{Placed: o.placed, Outcomes: outcomes, Settling: len(o.open), P50: o.times.quantile(0.5), P99: o.times.quantile(0.99)}
}

// atOnce is how many orders are looked after in a round.
const atOnce = 40

// look asks once about the oldest open orders.
func (o *Orders) look(ctx context.Context) {
	o.mu.Lock()
	batch := slices.Clone(o.open[:min(atOnce, len(o.open))])
	o.mu.Unlock()
	for _, order := range batch {
		answer, err := o.clients.Orders.GetOrderWithResponse(ctx, order.id)
		if err != nil || answer.JSON200 == nil || answer.JSON200.Status != "completed" && answer.JSON200.Status != "cancelled" {
			continue // it is asked about again
		}
		outcome := string(answer.JSON200.Status)
		if answer.JSON200.Reason != nil && *answer.JSON200.Reason != "" {
			outcome += ": " + *answer.JSON200.Reason
		}
		o.settled(order, outcome)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.open) > atOnce { // those that do not settle must not hide the others
		o.open = append(slices.Clone(o.open[atOnce/2:]), o.open[:atOnce/2]...)
	}
}

func (o *Orders) settled(order placed, outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = slices.DeleteFunc(o.open, func(p placed) bool { return p.id == order.id })
	o.outcomes[outcome]++
	o.times.add(time.Since(order.at))
}

// Follow looks after the orders until ctx ends.
func (o *Orders) Follow(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			o.look(ctx)
		}
	}
}

// Settle looks after the orders until all are settled or the limit is over, and tells how many are left.
func (o *Orders) Settle(ctx context.Context, limit time.Duration) int {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		if left := o.Now().Settling; left == 0 {
			return 0
		}
		o.look(ctx)
		select {
		case <-ctx.Done():
			return o.Now().Settling
		case <-tick.C:
		}
	}
}

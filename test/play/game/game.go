// Package game has people shop in a running shop, and counts what comes of it: test/play shows it to a person, and test/e2e asserts it.
//
//	run, err := game.Prepare(ctx, shop, game.Game{People: 20, Products: 50, Rate: 15, For: time.Minute, Settle: 30 * time.Second})
//	result := run.Play(ctx, nil)
//	err = result.Verdict()
package game

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/test/market"
)

// Game is what is played.
type Game struct {
	Seed     uint64
	People   int
	Products int           // that they look at and order
	Rate     float64       // actions a second, of all people together
	For      time.Duration // 0: until it is stopped
	Settle   time.Duration // how long orders may take after the end
	Rates    Rates
}

// Validate tells what cannot be played.
func (g Game) Validate() error {
	switch {
	case g.People < 1 || g.Products < 1:
		return errors.New("there must be a person and a product: see --help")
	case g.Rate <= 0 || g.For < 0:
		return errors.New("a rate and a time must be positive: see --help")
	}
	for _, share := range []float64{g.Rates.Orders, g.Rates.Declined, g.Rates.Invoice, g.Rates.SoldOut, g.Rates.Declined + g.Rates.Invoice} {
		if share < 0 || share > 1 {
			return errors.New("a share must be from 0 to 1, and -declined and -invoice together, too: see --help")
		}
	}
	return nil
}

// Result is what came of a game.
type Result struct {
	Seconds float64  `json:"seconds"`
	Actions []Line   `json:"actions"`
	Orders  Outcome  `json:"orders"`
	Faults  []string `json:"faults,omitempty"`
}

// Verdict is an error when an answer was a 5xx or none, or an order is not settled.
func (r Result) Verdict() error {
	var errs []error
	failed, lost := 0, 0
	for _, l := range r.Actions {
		failed += l.Failed
		lost += l.Lost
	}
	if failed+lost > 0 {
		errs = append(errs, fmt.Errorf("%d answers were 5xx, and %d requests got none", failed, lost))
	}
	if r.Orders.Settling > 0 {
		errs = append(errs, fmt.Errorf("%d orders were neither completed nor cancelled", r.Orders.Settling))
	}
	return errors.Join(errs...)
}

// Run is a game that goes on.
type Run struct {
	Tally  *Tally
	Orders *Orders
	began  time.Time
	game   Game
	people []*person
}

// Prepare registers the people and what they shop for, as far as they are not there.
func Prepare(ctx context.Context, shop *market.Shop, g Game) (*Run, error) {
	plan := market.Plan{Seed: g.Seed, Products: g.Products, Users: g.People, People: "play"}
	filled, err := market.Fill(ctx, shop, plan, market.Options{Parallel: 4, Settle: -1})
	if err != nil {
		return nil, err
	}
	if n := filled.Failed(); n > 0 {
		return nil, fmt.Errorf("%d products or people could not be made ready: %+v", n, filled.Report)
	}
	patient := market.Patient{Next: shop.HTTP.Transport, Statuses: []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}, Most: 6}
	watcher, err := shop.Clients(patient, shop.Program(patient))
	if err != nil {
		return nil, err
	}
	run := &Run{Tally: NewTally(), Orders: NewOrders(watcher), game: g}
	var soldOut []int
	for i := range g.Products {
		if plan.SoldOut(i) {
			soldOut = append(soldOut, i)
		}
	}
	think := time.Duration(float64(g.People) / g.Rate * float64(time.Second))
	for i, known := range filled.People {
		counted := market.Patient{Next: meter{shop.From(i), run.Tally}, Statuses: []int{http.StatusTooManyRequests}}
		p := &person{
			id: known.ID, login: shop.Person(during{LogIn, counted}, known.Email, known.Password), products: filled.Products, orders: run.Orders,
			planner: NewPlanner(g.Seed, i, g.Rates, think, g.Products, soldOut), cards: map[Pay]string{},
		}
		if p.clients, err = shop.Clients(counted, p.login); err != nil {
			return nil, err
		}
		for pay, number := range map[Pay]string{Card: market.GoodCard, Declined: market.SpentCard} {
			if p.cards[pay], err = register(ctx, watcher, known.ID, number, plan.Key("card that is "+string(pay), i)); err != nil {
				return nil, err
			}
		}
		run.people = append(run.people, p)
	}
	return run, nil
}

func register(ctx context.Context, clients market.Clients, customer, number, key string) (string, error) {
	answer, err := clients.Payments.CreatePaymentMethodWithResponse(ctx, &paymentsapi.CreatePaymentMethodParams{IdempotencyKey: &key},
		paymentsapi.NewPaymentMethod{CustomerID: customer, Card: market.Card(number)})
	if err != nil {
		return "", fmt.Errorf("register a card: %w", err)
	}
	if answer.JSON201 == nil {
		return "", fmt.Errorf("register a card: %s: %s", answer.Status(), answer.Body)
	}
	return answer.JSON201.ID, nil
}

// Play has the people shop until leave ends or the game's time is over, and then waits for the orders. When ctx ends, it is over at once.
func (r *Run) Play(ctx context.Context, leave <-chan struct{}) Result {
	r.began = time.Now()
	r.Tally.began = r.began
	home, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		var over <-chan time.Time
		if r.game.For > 0 {
			timer := time.NewTimer(r.game.For)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-over:
		case <-leave:
		case <-home.Done():
		}
		cancel()
	}()
	var people, watching sync.WaitGroup
	following, stop := context.WithCancel(ctx)
	watching.Go(func() { r.Orders.Follow(following) })
	for _, p := range r.people {
		people.Go(func() { p.live(ctx, home.Done()) })
	}
	people.Wait()
	took := time.Since(r.began)
	lines := r.Tally.Lines()
	stop()
	watching.Wait()
	r.Orders.Settle(ctx, r.game.Settle)
	return Result{Seconds: took.Seconds(), Actions: lines, Orders: r.Orders.Now(), Faults: r.Tally.Faults()}
}

package game

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Action is something that a person does.
type Action string

// The actions.
const (
	LogIn      Action = "log in"
	Browse     Action = "browse products"
	Look       Action = "look at a product"
	Dashboard  Action = "see the dashboard"
	OnThePhone Action = "see it on the phone"
	Suppliers  Action = "see the suppliers"
	Read       Action = "read the news"
	Order      Action = "order"
	ComeBack   Action = "look after the order"
	Details    Action = "see the order's details"
	History    Action = "list the orders"
)

// Step is one action of a visit, after a time to think.
type Step struct {
	Do    Action
	Think time.Duration
	// Of Look and Order: products, by their numbers. Of Order: how many of each.
	Products   []int
	Quantities []int
	Pay        Pay
}

// Pay is how an order is paid.
type Pay string

// The ways to pay. A declined card is taken on file and refused when it is charged.
const (
	Card     Pay = "card"
	Declined Pay = "declined"
	Invoice  Pay = "invoice"
)

// Rates say how people behave, in shares of 1.
type Rates struct {
	Orders   float64 // visits in which something is ordered
	Declined float64 // orders with a card that is declined
	Invoice  float64 // orders on invoice
	SoldOut  float64 // orders with something that is sold out
}

// Planner plans the visits of one person, one after the other.
type Planner struct {
	rates    Rates
	think    time.Duration // on average
	products int
	soldOut  []int
	rand     *rand.Rand
}

// NewPlanner plans for a person in a shop of so many products, of which some are sold out. The same seed and person
// give the same visits, whatever others do.
func NewPlanner(seed uint64, person int, rates Rates, think time.Duration, products int, soldOut []int) *Planner {
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "person %d", person)
	return &Planner{
		rates: rates, think: think, products: products, soldOut: soldOut,
		rand: rand.New(rand.NewPCG(seed, hash.Sum64())),
	}
}

// Visit is what the person does next, from coming to leaving.
func (p *Planner) Visit() []Step {
	var steps []Step
	do := func(s Step) {
		s.Think = time.Duration(p.rand.ExpFloat64() * float64(p.think))
		s.Think = min(s.Think, 5*p.think) // nobody falls asleep
		steps = append(steps, s)
	}
	if p.chance(0.2) { // others are logged in still
		do(Step{Do: LogIn})
	}
	if p.chance(0.6) {
		do(Step{Do: p.oneOf(Dashboard, Dashboard, OnThePhone)})
	}
	if p.chance(0.15) {
		do(Step{Do: p.oneOf(Read, Suppliers, History)})
	}
	do(Step{Do: Browse})
	for range 1 + p.rand.IntN(3) {
		do(Step{Do: Look, Products: []int{p.rand.IntN(p.products)}})
	}
	if !p.chance(p.rates.Orders) {
		return steps
	}
	do(p.order())
	for range 1 + p.rand.IntN(2) {
		do(Step{Do: ComeBack})
	}
	if p.chance(0.5) {
		do(Step{Do: Details})
	}
	return steps
}

func (p *Planner) order() Step {
	s := Step{Do: Order, Pay: Card}
	for _, product := range p.rand.Perm(p.products)[:min(p.products, 1+p.rand.IntN(3))] {
		if !p.isSoldOut(product) {
			s.add(product, 1+p.rand.IntN(2))
		}
	}
	if len(p.soldOut) > 0 && (p.chance(p.rates.SoldOut) || s.Products == nil) {
		s.add(p.soldOut[p.rand.IntN(len(p.soldOut))], 1)
	}
	switch r := p.rand.Float64(); {
	case r < p.rates.Declined:
		s.Pay = Declined
	case r < p.rates.Declined+p.rates.Invoice:
		s.Pay = Invoice
	}
	return s
}

func (s *Step) add(product, quantity int) {
	s.Products = append(s.Products, product)
	s.Quantities = append(s.Quantities, quantity)
}

func (p *Planner) isSoldOut(product int) bool {
	for _, n := range p.soldOut {
		if n == product {
			return true
		}
	}
	return false
}

func (p *Planner) chance(share float64) bool { return p.rand.Float64() < share }

func (p *Planner) oneOf(actions ...Action) Action { return actions[p.rand.IntN(len(actions))] }

package game

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var usual = Rates{Orders: 0.5, Declined: 0.1, Invoice: 0.2, SoldOut: 0.1}

// visits are so many of a person's.
func visits(seed uint64, person, n int, rates Rates) (all [][]Step) {
	p := NewPlanner(seed, person, rates, time.Second, 50, []int{24, 49})
	for range n {
		all = append(all, p.Visit())
	}
	return all
}

func TestTheSameSeedIsTheSamePlan(t *testing.T) {
	first := visits(7, 3, 50, usual)
	if diff := cmp.Diff(first, visits(7, 3, 50, usual)); diff != "" {
		t.Errorf("visits (-first +second):\n%s", diff)
	}
	if cmp.Equal(first, visits(8, 3, 50, usual)) {
		t.Error("another seed is the same plan")
	}
	if cmp.Equal(first, visits(7, 4, 50, usual)) {
		t.Error("another person does the same")
	}
}

func TestPeopleBehaveAsTheRatesSay(t *testing.T) {
	did, paid := map[Action]int{}, map[Pay]int{}
	ordered, soldOut, n := 0, 0, 0
	for person := range 40 {
		for _, visit := range visits(1, person, 100, usual) {
			n++
			for i, s := range visit {
				did[s.Do]++
				if s.Think < 0 || s.Think > 5*time.Second {
					t.Errorf("step %+v", s)
				}
				if s.Do != Order {
					continue
				}
				ordered++
				paid[s.Pay]++
				without := false
				for j, product := range s.Products {
					without = without || product == 24 || product == 49
					if product < 0 || product >= 50 || s.Quantities[j] < 1 {
						t.Errorf("order %+v", s)
					}
				}
				if without {
					soldOut++
				}
				if len(s.Products) == 0 || len(s.Products) != len(s.Quantities) || visit[i+1].Do != ComeBack {
					t.Errorf("visit %+v", visit)
				}
			}
		}
	}
	near := func(what string, got, of int, want float64) {
		t.Helper()
		if share := float64(got) / float64(of); share < want-0.04 || share > want+0.04 {
			t.Errorf("%s: %.3f, want about %.3f", what, share, want)
		}
	}
	near("orders", ordered, n, usual.Orders)
	near("declined", paid[Declined], ordered, usual.Declined)
	near("invoice", paid[Invoice], ordered, usual.Invoice)
	near("sold out", soldOut, ordered, usual.SoldOut)
	for _, action := range []Action{LogIn, Browse, Look, Dashboard, OnThePhone, Suppliers, Read, Order, ComeBack, Details, History} {
		if did[action] == 0 {
			t.Errorf("in %d visits nobody did: %s", n, action)
		}
	}
}

func TestPeopleDoAsTheyAreTold(t *testing.T) {
	for _, visit := range visits(1, 0, 200, Rates{}) {
		for _, s := range visit {
			if s.Do == Order {
				t.Fatal("somebody orders, and nobody should")
			}
		}
	}
	for _, visit := range visits(1, 0, 200, Rates{Orders: 1, Declined: 1, SoldOut: 1}) {
		orders := 0
		for _, s := range visit {
			if s.Do != Order {
				continue
			}
			orders++
			if last := s.Products[len(s.Products)-1]; s.Pay != Declined || last != 24 && last != 49 {
				t.Fatalf("order %+v", s)
			}
		}
		if orders != 1 {
			t.Fatalf("visit %+v", visit)
		}
	}
}

func TestWhatCannotBePlayedIsRefused(t *testing.T) {
	good := Game{People: 1, Products: 1, Rate: 1, Rates: usual}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Game){
		"nobody":        func(g *Game) { g.People = 0 },
		"nothing":       func(g *Game) { g.Products = 0 },
		"never":         func(g *Game) { g.Rate = 0 },
		"in the past":   func(g *Game) { g.For = -1 },
		"a share of 2":  func(g *Game) { g.Rates.Orders = 2 },
		"a share of -1": func(g *Game) { g.Rates.SoldOut = -1 },
		"more than all": func(g *Game) { g.Rates.Declined, g.Rates.Invoice = 0.6, 0.6 },
	} {
		g := good
		change(&g)
		if g.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

package shop

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/test/soak"
)

// ways are those to fulfil orders.
var ways = []string{"choreography", "orchestration", "two-phase"}

// victim is what a test kills and starts again.
type victim struct {
	name        string
	kill, start func(t *testing.T)
}

// services are victims.
func (s *shop) services() (all []victim) {
	for _, name := range []string{"orders", "inventory", "payments", "shipping", "legacy", "catalog", "users"} {
		all = append(all, victim{name,
			func(t *testing.T) {
				t.Helper()
				if err := s.Kill(name, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			},
			func(t *testing.T) {
				t.Helper()
				if err := s.Restart(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			},
		})
	}
	return all
}

// TestMoneyIsSafe kills services while orders are fulfilled in all ways, and balances the books when all is settled.
func TestMoneyIsSafe(t *testing.T) {
	rounds := soak.Rounds(t, 1)
	dir := t.TempDir()
	s := open(t, local.Options{DataDir: dir})
	url := func(service string) string { return "sqlite://" + filepath.ToSlash(filepath.Join(dir, service+".db")) }
	moneyIsSafe(t, s, url, s.services(), 10*rounds, 2+rounds)
}

// moneyIsSafe places so many orders of each way, kills so many victims meanwhile, and checks the books.
func moneyIsSafe(t *testing.T, s *shop, url func(service string) string, victims []victim, orders, kills int) {
	t.Helper()
	random := soak.Rand(t)
	customers, stock := s.furnish(t, orders)
	b := openBooks(t, url, stock)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+time.Duration(orders)*5*time.Second)
	defer cancel()
	refunded := s.refundAfterCharge(t, b, customers[slices.IndexFunc(customers, func(c buyer) bool { return c.way == "orchestration" })])
	acknowledged := append(s.loseAnswers(t, b, customers), refunded)

	gossiping, hush := context.WithCancel(ctx)
	var told atomic.Int64
	var rumours errgroup.Group
	whim := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
	rumours.Go(func() error { return gossip(gossiping, s.Brokers(), whim, &told) })
	t.Cleanup(func() {
		hush()
		_ = rumours.Wait()
	})

	pause := 2 * time.Second * time.Duration(kills) / time.Duration(orders) // so that orders come as long as somebody is killed
	trade := s.trade(ctx, random, customers, orders, pause)
	killed := massacre(t, random, append(victims, s.faults()...), kills)
	placed, err := trade()
	if err != nil {
		t.Fatal(err)
	}
	acknowledged = append(acknowledged, placed...)
	hush()
	if err := rumours.Wait(); err != nil {
		t.Fatal(err)
	}
	b.balance(t, 3*time.Minute)

	// The shop is as good as before: an order of each way is completed. It also comes after all that is still on its way.
	last := map[string]string{}
	for _, c := range customers {
		id, err := s.place(ctx, wish{c.id, c.cards["pays"], []item{{c.plenty, 1}}}, c.way)
		if err != nil {
			t.Fatal(err)
		}
		last[id] = c.way
		acknowledged = append(acknowledged, id)
	}
	l := b.balance(t, time.Minute)
	for id, way := range last {
		if o := l.orders[id]; o == nil || o.Status != "completed" || o.Fulfilment != way {
			t.Errorf("an order after all kills: %+v", o)
		}
	}
	for _, id := range acknowledged {
		if l.orders[id] == nil {
			t.Errorf("order %s was acknowledged and is not kept", id)
		}
	}
	if len(l.orders) != len(acknowledged) {
		t.Errorf("%d orders are kept, and %d were acknowledged", len(l.orders), len(acknowledged))
	}
	for _, way := range ways {
		if l.count(way, "cancelled") == 0 {
			t.Errorf("no order by %s was cancelled", way)
		}
	}
	if l.refunds == 0 || l.orders[refunded].Status != "cancelled" {
		t.Errorf("%d charges were given back; the order that could not be shipped is %+v", l.refunds, l.orders[refunded])
	}
	t.Logf("\n%s%d events told again; killed: %s", l, told.Load(), killed)
}

// trade has each customer place so many orders, with pauses, and pay the invoices; what it gives waits for that, and gives the orders.
func (s *shop) trade(ctx context.Context, random *rand.Rand, customers []buyer, orders int, pause time.Duration) func() ([]string, error) {
	var group errgroup.Group
	var mu sync.Mutex
	var placed []string
	for _, c := range customers {
		random := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
		group.Go(func() error {
			for _, w := range c.wishes(random, orders) {
				moment(random, pause)
				id, err := s.place(ctx, w, c.way)
				if err != nil {
					return err
				}
				mu.Lock()
				placed = append(placed, id)
				mu.Unlock()
				if w.Method == "invoice" { // and the customer pays it after all
					card := c.cards[[]string{"pays", "pays", "spent", "fails", "hangs"}[random.IntN(5)]]
					group.Go(func() error { return s.pay(ctx, id, card) })
				}
			}
			return nil
		})
	}
	return func() ([]string, error) {
		err := group.Wait()
		return placed, err
	}
}

// massacre kills victims at random moments, and starts each again, and gives how often each died.
func massacre(t *testing.T, random *rand.Rand, victims []victim, kills int) string {
	t.Helper()
	died := map[string]int{}
	for range kills {
		moment(random, 600*time.Millisecond)
		v := victims[random.IntN(len(victims))]
		v.kill(t)
		died[v.name]++
		moment(random, 600*time.Millisecond)
		v.start(t)
	}
	var text []string
	for _, name := range slices.Sorted(maps.Keys(died)) {
		text = append(text, fmt.Sprintf("%s %d", name, died[name]))
	}
	return strings.Join(text, ", ")
}

// moment lets any time pass, up to the longest.
func moment(random *rand.Rand, longest time.Duration) {
	<-time.After(time.Duration(random.Int64N(int64(longest))))
}

// balance waits until the books show nothing open and nothing wrong.
func (b *books) balance(t *testing.T, within time.Duration) *ledger {
	t.Helper()
	deadline := time.After(within)
	for {
		l, err := b.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(l.problems) == 0 {
			return l
		}
		select {
		case <-deadline:
			t.Fatalf("not balanced within %s:\n%s\n%s", within, strings.Join(l.problems, "\n"), l)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// buyer is a customer whose orders are fulfilled in one way.
type buyer struct {
	id, way        string
	cards          map[string]string // payment methods by how they behave
	plenty, scarce string            // products
}

// furnish adds a customer for each way, with cards of all kinds, and products: one in plenty, and one of which only some orders get
// what they want.
func (s *shop) furnish(t *testing.T, orders int) (buyers []buyer, stock map[string]int) {
	t.Helper()
	plenty, scarce := s.product(t, "tea", "12.50", 1000*orders), s.product(t, "cocoa", "3.99", orders/2)
	stock = map[string]int{plenty: 1000 * orders, scarce: orders / 2}
	chosen := map[string]string{}
	for _, way := range ways {
		c := buyer{id: s.customer(t, way), way: way, plenty: plenty, scarce: scarce, cards: map[string]string{"invoice": "invoice"}}
		for behaviour, number := range map[string]string{
			"pays": "4111111111111111", "spent": "4000000000000341", "fails": "4000000000000119", "hangs": "4000000000000259",
		} {
			c.cards[behaviour] = s.card(t, c.id, number)
		}
		chosen[c.id] = way
		buyers = append(buyers, c)
	}
	s.fulfil(t, chosen)
	if err := s.Restart(t.Context(), "orders"); err != nil { // so that it has read the flags for certain
		t.Fatal(err)
	}
	return buyers, stock
}

// wishes are orders of all kinds: the first of each kind, and then any.
func (c buyer) wishes(random *rand.Rand, n int) []wish {
	one := func(product, card string, quantity int) wish {
		return wish{c.id, c.cards[card], []item{{product, quantity}}}
	}
	all := []wish{one(c.plenty, "pays", 2), one(c.plenty, "spent", 1), one(c.plenty, "hangs", 1), one(c.scarce, "pays", 500)}
	for len(all) < n {
		w := one(c.plenty, c.anyCard(random), 1+random.IntN(3))
		if random.IntN(3) == 0 {
			w.Items = append(w.Items, item{c.scarce, 1 + random.IntN(2)})
		}
		all = append(all, w)
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

func (c buyer) anyCard(random *rand.Rand) string {
	switch n := random.IntN(20); {
	case n < 12:
		return "pays"
	case n < 15:
		return "invoice"
	case n < 17:
		return "spent"
	case n < 19:
		return "fails"
	}
	return "hangs"
}

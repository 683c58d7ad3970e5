package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
	"github.com/trellis-mesh/trellis/services/payments/internal/gateway"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
	"github.com/trellis-mesh/trellis/test/soak"
)

var errCrashed = errors.New("the process has died")

// process is one life of a replica: with each call of the database or the gateway it may die, before it or after. From then on
// nothing that it does has any effect.
type process struct {
	Store
	wire *wire
	late *late

	mu    sync.Mutex
	rng   *rand.Rand
	share float64 // of the calls that it dies at
	dead  bool
}

// dies rolls the dice.
func (p *process) dies() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = p.dead || p.rng.Float64() < p.share
	return p.dead
}

func (p *process) pick(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(n)
}

// step makes a call that the process may die before or after.
func (p *process) step(call func() error) error {
	if p.dies() {
		return errCrashed
	}
	err := call()
	if p.dies() {
		return errCrashed
	}
	return err
}

func (p *process) InTx(ctx context.Context, fn func(context.Context) error) error {
	return p.step(func() error { return p.Store.InTx(ctx, fn) })
}

func (p *process) Begin(ctx context.Context, payment domain.Payment, due time.Time, events ...event.Event) (kept domain.Payment, first bool, err error) {
	err = p.step(func() error { kept, first, err = p.Store.Begin(ctx, payment, due, events...); return err })
	return kept, first, err
}

func (p *process) Update(ctx context.Context, orderID string, due time.Time, fn store.Change) (updated domain.Payment, err error) {
	err = p.step(func() error { updated, err = p.Store.Update(ctx, orderID, due, fn); return err })
	return updated, err
}

func (p *process) Claim(ctx context.Context, orderID string, now, until time.Time) (payment domain.Payment, origin telemetry.Origin, asked int, err error) {
	err = p.step(func() error { payment, origin, asked, err = p.Store.Claim(ctx, orderID, now, until); return err })
	return payment, origin, asked, err
}

func (p *process) Postpone(ctx context.Context, payment domain.Payment, until time.Time) error {
	return p.step(func() error { return p.Store.Postpone(ctx, payment, until) })
}

func (p *process) Drop(ctx context.Context, orderID string) error {
	return p.step(func() error { return p.Store.Drop(ctx, orderID) })
}

func (p *process) Decide(ctx context.Context, id string, at time.Time, fn func(context.Context, *domain.Transaction) error) error {
	return p.step(func() error { return p.Store.Decide(ctx, id, at, fn) })
}

// Do takes a request to the gateway: as it is, twice, or late; and its answer may get lost.
func (p *process) Do(r *http.Request) (*http.Response, error) {
	if p.dies() {
		return nil, errLost
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	again := func() (*http.Response, error) {
		copied := r.Clone(context.WithoutCancel(r.Context()))
		copied.Body = io.NopCloser(bytes.NewReader(body))
		return p.wire.Do(copied)
	}
	if p.share == 0 {
		return again()
	}
	switch p.pick(6) {
	case 0:
		return nil, errLost
	case 1: // the network delivers it, but not now
		p.late.hold(again)
		return nil, errLost
	case 2:
		drop(again())
		return nil, errLost
	case 3: // the network delivers it twice
		drop(again())
		return again()
	}
	return again()
}

func drop(answer *http.Response, _ error) {
	if answer != nil {
		_ = answer.Body.Close()
	}
}

// late are the requests that are still on their way.
type late struct {
	mu   sync.Mutex
	held []func() (*http.Response, error)
}

func (l *late) hold(request func() (*http.Response, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, request)
}

func (l *late) deliver(all bool) {
	l.mu.Lock()
	n := min(1, len(l.held))
	if all {
		n = len(l.held)
	}
	now := l.held[:n]
	l.held = slices.Clone(l.held[n:])
	l.mu.Unlock()
	for _, request := range now {
		drop(request())
	}
}

// chaos runs payments through everything that can happen to it.
type chaos struct {
	*shop
	t      *testing.T
	late   late
	cards  map[string]string // number by method
	orders []domain.Order

	mu    sync.Mutex
	given map[string]bool // the orders whose refund was promised to somebody
}

// life starts a replica that dies at a share of its calls.
func (c *chaos) life(rng *rand.Rand, share float64) *Payments {
	c.t.Helper()
	p := &process{Store: c.kept, wire: c.wire, late: &c.late, rng: rng, share: share}
	client, err := legacyapi.NewClientWithResponses("http://legacy", legacyapi.WithHTTPClient(p))
	if err != nil {
		c.t.Fatal(err)
	}
	payments := New(p, gateway.New(client), slog.New(slog.DiscardHandler), nil)
	payments.now = c.now
	return payments
}

// act does one thing that may happen at any time. Orders 0 to 3 are charged on request, 4 to 7 by events, the rest in two phases.
func (c *chaos) act(ctx context.Context, p *Payments, rng *rand.Rand) error {
	i := rng.IntN(len(c.orders))
	o := c.orders[i]
	switch rng.IntN(6) {
	case 0:
		_, err := p.Work(ctx)
		return err
	case 1:
		c.late.deliver(false)
		c.clock.Add(int64(rng.IntN(20)) * 1_000_000)
		return nil
	case 2, 3:
		if i%2 == 1 || i >= 8 { // every other order is never given back
			_, err := p.Get(ctx, o.ID)
			return err
		}
		return c.giveBack(ctx, p, i < 4, o.ID)
	}
	switch {
	case i < 4:
		_, err := p.Charge(ctx, o)
		return err
	case i < 8:
		return p.Reserved(ctx, o)
	}
	return c.coordinate(ctx, p, i, o)
}

func (c *chaos) giveBack(ctx context.Context, p *Payments, onRequest bool, orderID string) (err error) {
	if onRequest {
		_, err = p.Refund(ctx, orderID)
	} else {
		err = p.Cancelled(ctx, orderID)
	}
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.given[orderID] = true
	}
	return err
}

// coordinate is what a coordinator does with a transaction: even ones are aborted, odd ones committed if the vote was yes.
func (c *chaos) coordinate(ctx context.Context, p *Payments, i int, o domain.Order) error {
	yes, _, err := p.Prepare(ctx, "tx"+o.ID, o)
	if err != nil {
		return err
	}
	if yes && i%2 == 1 {
		return p.Commit(ctx, "tx"+o.ID)
	}
	return p.Abort(ctx, "tx"+o.ID)
}

// expected are the errors that an operation may give besides a crash.
func expected(err error) bool {
	for _, want := range []error{nil, errCrashed, domain.ErrRefunded, domain.ErrCommitted, domain.ErrAborted, store.ErrNotFound} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

func TestMoneyIsRightAfterCrashesAndLostAnswers(t *testing.T) {
	for name, replicas := range map[string]int{"one replica": 1, "three replicas at once": 3} {
		t.Run(name, func(t *testing.T) {
			rng := soak.Rand(t)
			for range soak.Rounds(t, 3) {
				round(t, rng, replicas)
			}
		})
	}
}

func round(t *testing.T, rng *rand.Rand, replicas int) {
	t.Helper()
	c := &chaos{shop: newShop(t), t: t, cards: map[string]string{}, given: map[string]bool{}}
	methods := make([]string, 3)
	for i, number := range []string{pays, declined, fails} {
		methods[i] = c.card(t, number)
		c.cards[methods[i]] = number
	}
	for i := range 12 {
		c.orders = append(c.orders, order(t, string(rune('a'+i)), methods[max(0, rng.IntN(6)-3)], "12.50"))
	}
	var group sync.WaitGroup
	for range replicas {
		own := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		group.Go(func() {
			life := c.life(own, 0.03)
			for range 100 / replicas {
				if err := c.act(t.Context(), life, own); !expected(err) {
					t.Errorf("unexpected: %v", err)
				} else if errors.Is(err, errCrashed) {
					life = c.life(own, 0.03)
				}
			}
		})
	}
	group.Wait()

	// The network and the processes come to rest; what is still asked for is asked again, and settles.
	c.Payments = c.life(rng, 0)
	for i, o := range c.orders {
		if i >= 8 {
			if err := c.coordinate(t.Context(), c.Payments, i, o); !expected(err) {
				t.Errorf("unexpected: %v", err)
			}
		}
	}
	c.settle(t)
	c.late.deliver(true)
	c.settle(t)
	c.check()
}

// check compares what payments believes with what the gateway has charged, and with what was told.
func (c *chaos) check() {
	c.t.Helper()
	charged := map[string]int{} // by payment
	for reference, cents := range c.legacy.Charged(c.t) {
		id, _, _ := strings.Cut(reference, ".")
		charged[id]++
		if cents != 1250 {
			c.t.Errorf("%s is charged %d cents", reference, cents)
		}
	}
	events := c.events(c.t)
	for i, o := range c.orders {
		p, err := c.kept.Get(c.t.Context(), o.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // nobody came as far as to want it
		}
		if err != nil {
			c.t.Fatal(err)
		}
		want := map[domain.Status]int{domain.Succeeded: 1}[p.Status]
		if charged[p.ID] != want || p.Open() {
			c.t.Errorf("order %d is %s and was charged %d times: %+v", i, p.Status, charged[p.ID], p)
		}
		delete(charged, p.ID)
		if p.Status == domain.Succeeded && c.cards[o.Method] != pays || p.Status == domain.Failed && c.cards[o.Method] == pays {
			c.t.Errorf("order %d with card %s is %s", i, c.cards[o.Method], p.Status)
		}
		if c.given[o.ID] && p.Status != domain.Refunded && p.Status != domain.Failed {
			c.t.Errorf("order %d is %s, though it was to be given back", i, p.Status)
		}
		c.checkEvents(i, p, events[o.ID])
	}
	if len(charged) > 0 {
		c.t.Errorf("charged without an order: %v", charged)
	}
}

func (c *chaos) checkEvents(i int, p domain.Payment, told []string) {
	c.t.Helper()
	var want []string
	switch {
	case i < 4 || i >= 8:
	case p.Status == domain.Succeeded:
		want = []string{api.PaymentProcessedV1Type}
	case p.Status == domain.Failed:
		want = []string{api.PaymentFailedV1Type}
	case p.GivenBack(): // perhaps before anybody knew that it was charged
		want = told[:min(1, len(told))]
	}
	if !slices.Equal(told, want) {
		c.t.Errorf("order %d is %s, and %v was told", i, p.Status, told)
	}
}

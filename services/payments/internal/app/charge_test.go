package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
)

func TestChargeOfEachCard(t *testing.T) {
	for number, test := range map[string]struct {
		want  domain.Status
		cents int64
	}{
		pays: {domain.Succeeded, 1250}, declined: {domain.Failed, 0}, fails: {domain.Failed, 0}, hangs: {domain.Succeeded, 1250},
	} {
		t.Run(number, func(t *testing.T) {
			s := newShop(t)
			o := order(t, "o", s.card(t, number), "12.50")
			s.charge(t, o)
			s.settle(t)
			s.wants(t, "o", test.want, test.cents)
			if again := s.charge(t, o); again.Status != test.want {
				t.Errorf("charged again it is %+v", again)
			}
			s.wants(t, "o", test.want, test.cents)
			if got := s.events(t); len(got) > 0 {
				t.Errorf("told %v, but nobody waits for it", got)
			}
		})
	}
}

func TestChargeByInvoiceAsksNobody(t *testing.T) {
	s := newShop(t)
	s.wire.breaks(away)
	if p := s.charge(t, order(t, "o", domain.Invoice, "12.50")); p.Status != domain.Succeeded {
		t.Errorf("payment %+v", p)
	}
}

func TestChargeRefuses(t *testing.T) {
	s := newShop(t)
	card := s.card(t, pays)
	s.charge(t, order(t, "o", card, "12.50"))
	another := order(t, "new", card, "1")
	another.CustomerID = "d"
	for name, test := range map[string]struct {
		order domain.Order
		want  error
	}{
		"another amount":          {order(t, "o", card, "12.51"), domain.ErrOther},
		"another method":          {order(t, "o", domain.Invoice, "12.50"), domain.ErrOther},
		"an unknown method":       {order(t, "new", "unknown", "1"), ErrMethod},
		"somebody else's card":    {another, ErrMethod},
		"a fraction of a cent":    {order(t, "new", card, "0.005"), ErrAmount},
		"more than can be told":   {order(t, "new", card, "99999999999999999"), ErrAmount},
		"an invoice of no amount": {order(t, "new", domain.Invoice, "0.005"), ErrAmount},
	} {
		if _, err := s.Charge(t.Context(), test.order); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
	if cents, times := s.charged(t); cents != 1250 || times != 1 {
		t.Errorf("charged %d cents %d times", cents, times)
	}
}

func TestManyWhoChargeAnOrderAtOnceChargeItOnce(t *testing.T) {
	s := newShop(t)
	o := order(t, "o", s.card(t, pays), "12.50")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := s.Charge(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s.settle(t)
	s.wants(t, "o", domain.Succeeded, 1250)
}

func TestWhileTheGatewayIsAway(t *testing.T) {
	s := newShop(t)
	o := order(t, "o", s.card(t, pays), "12.50")
	s.wire.breaks(away)
	if p := s.charge(t, o); p.Status != domain.Pending || !p.Unanswered {
		t.Errorf("charged %+v", p)
	}
	if p, err := s.Get(t.Context(), "o"); err != nil || p.Status != domain.Pending || !p.Unanswered {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := s.Register(t.Context(), "c", domain.NewCard(pays, 12, 2099, "987")); !errors.Is(err, ErrGateway) {
		t.Errorf("registered with %v", err)
	}
	s.wire.breaks(func(*http.Request) fault { return none })
	s.settle(t)
	s.wants(t, "o", domain.Succeeded, 1250)
	if p := s.get(t, "o"); p.Unanswered {
		t.Errorf("payment %+v", p)
	}
}

func TestGetAsksWhatBecameOfAnOpenPayment(t *testing.T) {
	s := newShop(t)
	o := order(t, "o", s.card(t, pays), "12.50")
	s.wire.breaks(func(r *http.Request) fault {
		if r.Method == http.MethodPost {
			return lostAnswer
		}
		return lostRequest
	})
	if p := s.charge(t, o); p.Status != domain.Pending {
		t.Fatalf("charged %+v", p)
	}
	s.wire.breaks(func(*http.Request) fault { return none })
	if p, err := s.Get(t.Context(), "o"); err != nil || p.Status != domain.Succeeded {
		t.Errorf("got %+v, %v", p, err)
	}
}

// A hung gateway answers nothing for as long as it is asked. In the bubble, time passes by itself.
func TestNobodyWaitsForAHungGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(nil, nil, nil, nil)
		begun := time.Now()
		got := p.patiently(t.Context(), func(ctx context.Context) domain.Outcome {
			<-ctx.Done()
			return domain.Outcome{Result: domain.Unknown}
		})
		if waited := time.Since(begun); waited != patience || waited >= 3*time.Second || got.Result != domain.Unknown {
			t.Errorf("waited %v for %+v", waited, got)
		}
	})
}

func TestReservedTellsTheOutcome(t *testing.T) {
	for number, want := range map[string]string{
		pays: api.PaymentProcessedV1Type, hangs: api.PaymentProcessedV1Type, declined: api.PaymentFailedV1Type, fails: api.PaymentFailedV1Type,
	} {
		s := newShop(t)
		o := order(t, "o", s.card(t, number), "12.50")
		for range 2 { // under two ids, as a sender that repeats itself would
			if err := s.reserved(t, o); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.events(t); len(got) > 0 {
			t.Errorf("told before it is known: %v", got)
		}
		s.settle(t)
		if err := s.reserved(t, o); err != nil {
			t.Fatal(err)
		}
		if got := s.events(t)["o"]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: told %v, want %s", number, got, want)
		}
	}
}

func TestReservedFailsAtOnceWithoutAMethod(t *testing.T) {
	s := newShop(t)
	for id, o := range map[string]domain.Order{"m": order(t, "m", "unknown", "1"), "a": order(t, "a", domain.Invoice, "0.001")} {
		if err := s.reserved(t, o); err != nil {
			t.Fatal(err)
		}
		if got := s.events(t)[id]; !slices.Equal(got, []string{api.PaymentFailedV1Type}) {
			t.Errorf("told %v", got)
		}
	}
}

func TestReservedOfAnOrderThatIsChargedAlready(t *testing.T) {
	s := newShop(t)
	o := order(t, "o", s.card(t, pays), "12.50")
	s.charge(t, o)
	for range 2 {
		if err := s.reserved(t, o); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.events(t)["o"]; !slices.Equal(got, []string{api.PaymentProcessedV1Type}) {
		t.Errorf("told %v", got)
	}
	s.wants(t, "o", domain.Succeeded, 1250)
	if err := s.reserved(t, order(t, "o", domain.Invoice, "12.50")); !errors.Is(err, domain.ErrOther) || !event.IsPermanent(err) {
		t.Errorf("another payment of the order: %v", err)
	}
}

func TestAnUnknownOrderHasNoPayment(t *testing.T) {
	s := newShop(t)
	s.cancelled(t, "early")
	for _, id := range []string{"unknown", "early"} {
		if _, err := s.Get(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: error %v", id, err)
		}
	}
}

func TestARefusedCardIsNotKept(t *testing.T) {
	s := newShop(t)
	for _, card := range []domain.Card{domain.NewCard("4111111111111112", 12, 2099, "987"), domain.NewCard(pays, 1, 2001, "987"), domain.NewCard(refused, 12, 2099, "987")} {
		if _, err := s.Register(t.Context(), "c", card); !errors.Is(err, ErrCard) {
			t.Errorf("error %v", err)
		}
	}
}

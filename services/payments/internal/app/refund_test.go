package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

func TestRefundGivesBackOnce(t *testing.T) {
	s := newShop(t)
	o := order(t, "o", s.card(t, pays), "12.50")
	s.charge(t, o)
	for range 2 {
		if p, err := s.Refund(t.Context(), "o"); err != nil || !p.GivenBack() {
			t.Errorf("refunded %+v, %v", p, err)
		}
	}
	s.wants(t, "o", domain.Refunded, 0)
	if _, err := s.Charge(t.Context(), o); !errors.Is(err, domain.ErrRefunded) {
		t.Errorf("charged after the refund: %v", err)
	}
}

func TestRefundOfWhatWasNeverCharged(t *testing.T) {
	s := newShop(t)
	s.charge(t, order(t, "declined", s.card(t, declined), "12.50"))
	for id, want := range map[string]domain.Status{"declined": domain.Failed, "unknown": domain.Refunded} {
		if p, err := s.Refund(t.Context(), id); err != nil || p.Status != want || p.GivenBack() {
			t.Errorf("refunded %+v, %v", p, err)
		}
	}
}

func TestAChargeAfterItsRefundIsRefused(t *testing.T) {
	s := newShop(t)
	card := s.card(t, pays)
	if _, err := s.Refund(t.Context(), "o"); err != nil {
		t.Fatal(err)
	}
	s.cancelled(t, "e")
	if _, err := s.Charge(t.Context(), order(t, "o", card, "12.50")); !errors.Is(err, domain.ErrRefunded) {
		t.Errorf("charged after the refund: %v", err)
	}
	if err := s.reserved(t, order(t, "e", card, "12.50")); err != nil {
		t.Fatal(err)
	}
	s.settle(t)
	if cents, _ := s.charged(t); cents != 0 || len(s.events(t)) > 0 {
		t.Errorf("charged %d, told %v", cents, s.events(t))
	}
}

func TestCancelledGivesBackWhatIsChargedOrUnderWay(t *testing.T) {
	s := newShop(t)
	card := s.card(t, pays)
	s.charge(t, order(t, "charged", card, "12.50"))
	if err := s.reserved(t, order(t, "wanted", card, "12.50")); err != nil {
		t.Fatal(err)
	}
	s.wire.breaks(func(r *http.Request) fault {
		if r.Method == http.MethodPost {
			return lostAnswer // it is charged, and payments does not know
		}
		return lostRequest
	})
	s.charge(t, order(t, "under way", card, "12.50"))
	for _, id := range []string{"charged", "wanted", "under way"} {
		s.cancelled(t, id)
		s.cancelled(t, id)
		if got := s.get(t, id).Status; got != domain.Refunding {
			t.Errorf("%s is %s", id, got)
		}
	}
	if cents, times := s.charged(t); cents != 2500 || times != 2 {
		t.Fatalf("charged %d cents %d times", cents, times)
	}
	s.wire.breaks(func(*http.Request) fault { return none })
	s.settle(t)
	for id, back := range map[string]bool{"charged": true, "wanted": false, "under way": true} {
		s.wants(t, id, domain.Refunded, 0)
		if got := s.get(t, id).GivenBack(); got != back {
			t.Errorf("%s: given back %v", id, got)
		}
	}
	if got := s.events(t); len(got) > 0 {
		t.Errorf("told %v of orders that were cancelled", got)
	}
}

func TestChargeAndRefundAtOnceKeepNothing(t *testing.T) {
	s := newShop(t)
	card := s.card(t, pays)
	for _, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		o := order(t, id, card, "12.50")
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := s.Charge(t.Context(), o); err != nil && !errors.Is(err, domain.ErrRefunded) {
				t.Error(err)
			}
		})
		group.Go(func() {
			if _, err := s.Refund(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		s.settle(t)
		s.wants(t, id, domain.Refunded, 0)
	}
}

func TestARefundThatComesBeforeTheAnswerToTheChargeHolds(t *testing.T) {
	for _, arrives := range []bool{true, false} { // the refund, at the gateway, before the answer arrives here
		s := newShop(t)
		o := order(t, "o", s.card(t, pays), "12.50")
		s.wire.between = func(r *http.Request) {
			if r.Method != http.MethodPost {
				return
			}
			if !arrives {
				s.wire.breaks(away)
			}
			if _, err := s.Refund(t.Context(), "o"); err != nil {
				t.Error(err)
			}
		}
		if p := s.charge(t, o); p.Status != domain.Refunding && p.Status != domain.Refunded {
			t.Errorf("the answer to the charge makes it %s", p.Status)
		}
		s.wire.breaks(func(*http.Request) fault { return none })
		s.settle(t)
		s.wants(t, "o", domain.Refunded, 0)
	}
}

func TestRefundWhileTheGatewayIsAwayIsMadeUpFor(t *testing.T) {
	s := newShop(t)
	s.charge(t, order(t, "o", s.card(t, pays), "12.50"))
	s.wire.breaks(away)
	if p, err := s.Refund(t.Context(), "o"); err != nil || p.Status != domain.Refunding {
		t.Errorf("refunded %+v, %v", p, err)
	}
	s.wire.breaks(func(*http.Request) fault { return none })
	s.settle(t)
	s.wants(t, "o", domain.Refunded, 0)
}

func TestTransactionThatIsCommitted(t *testing.T) {
	for _, number := range []string{pays, hangs} {
		s := newShop(t)
		o := order(t, "o", s.card(t, number), "12.50")
		for range 2 {
			if yes, reason, err := s.Prepare(t.Context(), "x", o); !yes || err != nil {
				t.Fatalf("voted %v %q, %v", yes, reason, err)
			}
		}
		s.wants(t, "o", domain.Promised, 0)
		if _, err := s.Refund(t.Context(), "o"); !errors.Is(err, domain.ErrPromised) {
			t.Errorf("refunded a promise: %v", err)
		}
		s.cancelled(t, "o") // the abort will tell
		for range 2 {
			if err := s.Commit(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
		}
		s.settle(t)
		s.wants(t, "o", domain.Succeeded, 1250)
		if err := s.Abort(t.Context(), "x"); !errors.Is(err, domain.ErrCommitted) {
			t.Errorf("aborted after the commit: %v", err)
		}
		s.wants(t, "o", domain.Succeeded, 1250)
		if p, err := s.Refund(t.Context(), "o"); err != nil || !p.GivenBack() {
			t.Errorf("refunded %+v, %v", p, err)
		}
	}
}

// TestACommittedChargeThatIsRefusedIsAskedForMoreAndMoreSeldom lets time pass in steps and takes down those at which the gateway is asked.
func TestACommittedChargeThatIsRefusedIsAskedForMoreAndMoreSeldom(t *testing.T) {
	for name, status := range map[string]int{"refused": http.StatusBadRequest, "failed": http.StatusInternalServerError} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			if yes, reason, err := s.Prepare(t.Context(), "x", order(t, "o", s.card(t, pays), "12.50")); !yes || err != nil {
				t.Fatalf("voted %v %q, %v", yes, reason, err)
			}
			legacy := s.wire.handler
			s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost {
					legacy.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json") // the gateway breaks its promise
				w.WriteHeader(status)
				_ = json.NewEncoder(w).Encode(legacyapi.GatewayAnswer{StatusCode: status, TransactionID: "t", ResponseMessage: "no"})
			})
			if err := s.Commit(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			const step = 500 * time.Millisecond
			var pauses []time.Duration
			for pause := step; len(pauses) < 9 && pause <= time.Minute; pause += step {
				s.clock.Add(step.Microseconds())
				n, err := s.Work(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n > 0 {
					pauses, pause = append(pauses, pause), 0
				}
			}
			want := []time.Duration{step, step, 2 * step, 4 * step, 8 * step, 16 * step, 32 * step, 30 * time.Second, 30 * time.Second}
			if !slices.Equal(pauses, want) {
				t.Errorf("asked after %v, want %v", pauses, want)
			}
			if p := s.get(t, "o"); p.Status != domain.Pending || p.Tries != len(want)+1 {
				t.Errorf("the payment is %s after %d tries", p.Status, p.Tries)
			}
		})
	}
}

func TestTransactionThatIsAborted(t *testing.T) {
	s := newShop(t)
	o := order(t, "o", s.card(t, pays), "12.50")
	if yes, _, err := s.Prepare(t.Context(), "x", o); !yes || err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Abort(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if yes, _, err := s.Prepare(t.Context(), "x", o); yes || err != nil {
		t.Errorf("voted %v after the abort, %v", yes, err)
	}
	if err := s.Commit(t.Context(), "x"); !errors.Is(err, domain.ErrAborted) {
		t.Errorf("committed after the abort: %v", err)
	}
	// The order is free for another transaction.
	if yes, reason, err := s.Prepare(t.Context(), "y", o); !yes || err != nil {
		t.Errorf("voted %v %q, %v", yes, reason, err)
	}
	if err := s.Abort(t.Context(), "early"); err != nil {
		t.Fatal(err)
	}
	if yes, _, err := s.Prepare(t.Context(), "early", order(t, "p", domain.Invoice, "1")); yes || err != nil {
		t.Errorf("voted %v after an early abort, %v", yes, err)
	}
	s.settle(t)
	s.wants(t, "o", domain.Promised, 0)
}

func TestVotesOfNo(t *testing.T) {
	s := newShop(t)
	card := s.card(t, pays)
	s.charge(t, order(t, "charged", card, "1"))
	s.cancelled(t, "cancelled")
	if yes, _, err := s.Prepare(t.Context(), "first", order(t, "promised", card, "1")); !yes || err != nil {
		t.Fatal(err)
	}
	for id, o := range map[string]domain.Order{
		"a declined card":       order(t, "1", s.card(t, declined), "1"),
		"a failing gateway":     order(t, "2", s.card(t, fails), "1"),
		"an unknown method":     order(t, "3", "unknown", "1"),
		"no amount":             order(t, "4", card, "0.001"),
		"an order charged":      order(t, "charged", card, "1"),
		"an order cancelled":    order(t, "cancelled", card, "1"),
		"an order promised":     order(t, "promised", card, "1"),
		"another order's abort": order(t, "6", s.card(t, declined), "1"),
	} {
		for range 2 {
			if yes, reason, err := s.Prepare(t.Context(), id, o); yes || reason == "" || err != nil {
				t.Errorf("%s: voted %v %q, %v", id, yes, reason, err)
			}
		}
		if err := s.Commit(t.Context(), id); !errors.Is(err, domain.ErrAborted) {
			t.Errorf("%s: committed: %v", id, err)
		}
		if err := s.Abort(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	s.wants(t, "promised", domain.Promised, 100) // an abort drops only its own promise
	s.wire.breaks(away)
	if yes, _, err := s.Prepare(t.Context(), "away", order(t, "5", card, "1")); yes || err != nil {
		t.Errorf("voted %v while the gateway is away, %v", yes, err)
	}
	if _, _, err := s.Prepare(t.Context(), "first", order(t, "other", card, "1")); !errors.Is(err, domain.ErrOtherTransaction) {
		t.Errorf("voted on another order: %v", err)
	}
	if err := s.Commit(t.Context(), "unknown"); !errors.Is(err, domain.ErrUnknownTransaction) {
		t.Errorf("committed: %v", err)
	}
}

func TestACommitWhileTheGatewayIsAwayIsMadeUpFor(t *testing.T) {
	s := newShop(t)
	if yes, _, err := s.Prepare(t.Context(), "x", order(t, "o", s.card(t, pays), "12.50")); !yes || err != nil {
		t.Fatal(err)
	}
	s.wire.breaks(away)
	if err := s.Commit(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	s.wants(t, "o", domain.Pending, 0)
	s.wire.breaks(func(*http.Request) fault { return none })
	s.settle(t)
	s.wants(t, "o", domain.Succeeded, 1250)
}

func TestRunSettlesWhatIsDue(t *testing.T) {
	s := newShop(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	defer stop()
	go func() { done <- s.Run(ctx) }()
	if err := s.reserved(t, order(t, "o", s.card(t, pays), "12.50")); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.get(t, "o").Status == domain.Succeeded })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := s.events(t)["o"]; !slices.Equal(got, []string{"payment.processed.v1"}) {
		t.Errorf("told %v", got)
	}
}

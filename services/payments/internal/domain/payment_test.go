package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/contracts/money"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func order(t *testing.T, method, amount string) Order {
	t.Helper()
	m, err := money.New(amount, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return Order{ID: "o", CustomerID: "c", Method: method, Amount: m}
}

func inState(t *testing.T, status Status) Payment {
	t.Helper()
	p := New("p", order(t, "m", "12.50"), "card", at)
	p.Status = status
	return p
}

func TestWhatCostsNothingNowHasSucceeded(t *testing.T) {
	for _, o := range []Order{order(t, Invoice, "12.50"), order(t, "m", "0.00")} {
		if p := New("p", o, "", at); p.Status != Succeeded || p.Open() {
			t.Errorf("payment %+v", p)
		}
		promised := Promise("p", o, "", at)
		if promised.Status != Promised {
			t.Errorf("promised %+v", promised)
		}
		if promised.Commit(); promised.Status != Succeeded {
			t.Errorf("committed %+v", promised)
		}
	}
}

func TestSettle(t *testing.T) {
	for _, test := range []struct {
		from   Status
		result Result
		want   Status
	}{
		{Pending, Success, Succeeded},
		{Pending, Refused, Failed},
		{Pending, Error, Failed},
		{Pending, Unknown, Pending},
		{Pending, Absent, Pending},
		{Succeeded, Refused, Succeeded},
		{Failed, Success, Failed},
		{Refunding, Success, Refunding},
		{Refunded, Success, Refunded},
		{Promised, Success, Promised},
	} {
		p := inState(t, test.from)
		p.Settle("p", Outcome{Result: test.result, TransactionID: "t", Reason: "why"})
		if p.Status != test.want {
			t.Errorf("%s after %s is %s, want %s", test.from, test.result, p.Status, test.want)
		}
		if known := p.Status == Succeeded && test.from == Pending; known != (p.TransactionID == "t") {
			t.Errorf("%s after %s has transaction %q", test.from, test.result, p.TransactionID)
		}
		if p.Unanswered != (test.from == Pending && test.result == Unknown) {
			t.Errorf("%s after %s: unanswered %v", test.from, test.result, p.Unanswered)
		}
	}
}

func TestSettleOfAReferenceThatWasGivenUp(t *testing.T) {
	p := inState(t, Pending)
	if p.Settle("p.0", Outcome{Result: Refused}); p.Status != Pending {
		t.Errorf("payment %+v", p)
	}
}

func TestAPromisedChargeIsTriedAgainUnderANewReference(t *testing.T) {
	p := Promise("p", order(t, "m", "1"), "card", at)
	p.Commit()
	for _, reference := range []string{"p.1", "p.2"} {
		old := p.Reference
		p.Settle(old, Outcome{Result: Unknown})
		if p.Reference != old {
			t.Fatalf("a charge of which nobody knows got the reference %s", p.Reference)
		}
		p.Settle(old, Outcome{Result: Error, Reason: "why"})
		p.Settle(old, Outcome{Result: Error, Reason: "why"}) // told twice
		if p.Status != Pending || p.Reference != reference {
			t.Errorf("payment %+v, want the reference %s", p, reference)
		}
	}
	if p.Settle("p.2", Outcome{Result: Success, TransactionID: "t"}); p.Status != Succeeded || p.Reason != "" {
		t.Errorf("payment %+v", p)
	}
}

func TestRefund(t *testing.T) {
	for from, want := range map[Status]Status{
		Pending: Refunding, Succeeded: Refunding, Failed: Failed, Refunding: Refunding, Refunded: Refunded,
	} {
		p := inState(t, from)
		if err := p.Refund(); err != nil || p.Status != want {
			t.Errorf("%s becomes %s with error %v, want %s", from, p.Status, err, want)
		}
	}
	p := inState(t, Promised)
	if err := p.Refund(); !errors.Is(err, ErrPromised) || p.Status != Promised {
		t.Errorf("a promise becomes %s with error %v", p.Status, err)
	}
	invoice := New("p", order(t, Invoice, "1"), "", at)
	if err := invoice.Refund(); err != nil || invoice.Status != Refunded || !invoice.GivenBack() {
		t.Errorf("an invoice becomes %+v with error %v", invoice, err)
	}
}

func TestGiveBack(t *testing.T) {
	for _, test := range []struct {
		from   Status
		result Result
		want   Status
		back   bool
	}{
		{Refunding, Success, Refunded, true},
		{Refunding, Refused, Refunded, false},
		{Refunding, Error, Refunding, false},
		{Refunding, Unknown, Refunding, false},
		{Succeeded, Success, Succeeded, false},
		{Pending, Refused, Pending, false},
	} {
		p := inState(t, test.from)
		p.GiveBack(Outcome{Result: test.result, TransactionID: "t"})
		if p.Status != test.want || p.GivenBack() != test.back {
			t.Errorf("%s after %s is %s, given back %v", test.from, test.result, p.Status, p.GivenBack())
		}
	}
}

func TestAgain(t *testing.T) {
	same := order(t, "m", "12.5") // 12.50 by another name
	for from, want := range map[Status]error{
		Pending: nil, Succeeded: nil, Failed: nil, Promised: ErrPromised, Refunding: ErrRefunded, Refunded: ErrRefunded,
	} {
		if err := inState(t, from).Again(same); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", from, err, want)
		}
	}
	other := []Order{order(t, "m", "12.51"), order(t, Invoice, "12.50"), {ID: "o", CustomerID: "d", Method: "m", Amount: same.Amount}}
	for _, o := range other {
		if err := inState(t, Pending).Again(o); !errors.Is(err, ErrOther) {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if err := Tombstone("o", at).Again(same); !errors.Is(err, ErrRefunded) {
		t.Errorf("a tombstone: error %v", err)
	}
}

func TestTransaction(t *testing.T) {
	var tx Transaction
	if _, err := tx.Commit(); !errors.Is(err, ErrUnknownTransaction) {
		t.Errorf("commit of nothing: %v", err)
	}
	if first, err := tx.Prepare("o", ""); !first || err != nil {
		t.Errorf("prepare: %v, %v", first, err)
	}
	if first, err := tx.Prepare("o", "now the gateway is away"); first || err != nil || tx.State != Prepared {
		t.Errorf("a vote of yes became %+v, %v, %v", tx, first, err)
	}
	if _, err := tx.Prepare("other", ""); !errors.Is(err, ErrOtherTransaction) {
		t.Errorf("prepare for another order: %v", err)
	}
	for _, want := range []bool{true, false} {
		if first, err := tx.Commit(); first != want || err != nil {
			t.Errorf("commit: %v, %v", first, err)
		}
	}
	if _, err := tx.Abort(); !errors.Is(err, ErrCommitted) || tx.State != Committed {
		t.Errorf("abort after commit: %v, %+v", err, tx)
	}
}

func TestAbortComesBeforeTheVote(t *testing.T) {
	var tx Transaction
	for range 2 {
		if promised, err := tx.Abort(); promised || err != nil {
			t.Errorf("abort: %v, %v", promised, err)
		}
	}
	if first, err := tx.Prepare("o", ""); first || err != nil || tx.State != Aborted || tx.Reason == "" {
		t.Errorf("prepare: %v, %v, %+v", first, err, tx)
	}
	if _, err := tx.Commit(); !errors.Is(err, ErrAborted) {
		t.Errorf("commit: %v", err)
	}
}

func TestACardIsNeverShown(t *testing.T) {
	card := NewCard("4111111111111111", 12, 2099, "987")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("card", "value", card, "pointer", &card)
	text, err := json.Marshal(map[string]any{"card": card, "pointer": &card})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(text) + fmt.Sprintf("%v %+v %#v %s %q %d %x", card, card, card, card, card, card, card)
	for _, secret := range []string{"411111", "987", "34313131"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%s is shown in %s", secret, shown)
		}
	}
	if card.Last4() != "1111" || card.Brand() != "visa" || NewCard("99", 1, 1, "").Brand() != "card" {
		t.Errorf("shown as %s", card)
	}
}

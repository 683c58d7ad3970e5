package domain

import (
	"net/http"
	"testing"
	"time"
)

var at = time.Date(2026, 7, 31, 23, 0, 0, 0, time.UTC)

func card(number string) *Card { return &Card{Number: number, ExpiryMonth: 7, ExpiryYear: 2026} }

func TestDecide(t *testing.T) {
	onFile := func(behaviour Behaviour) *Payment {
		return &Payment{Status: http.StatusOK, Behaviour: behaviour, Last4: "1111"}
	}
	for name, test := range map[string]struct {
		card     *Card
		original *Payment
		amount   int64
		status   int
		charged  int64
		lost     bool
	}{
		"a card that pays":                      {card: card("4111111111111111"), amount: 1250, status: 200, charged: 1250},
		"another card":                          {card: card("5555555555554444"), amount: 1250, status: 200, charged: 1250},
		"a card that is declined":               {card: card("4000000000000002"), amount: 1250, status: 400},
		"a card that the gateway fails with":    {card: card("4000000000000119"), amount: 1250, status: 500},
		"a card whose answer is lost":           {card: card("4000000000000259"), amount: 1250, status: 200, charged: 1250, lost: true},
		"no card's number":                      {card: card("4111111111111112"), amount: 1250, status: 400},
		"an expired card":                       {card: &Card{Number: "4111111111111111", ExpiryMonth: 6, ExpiryYear: 2026}, amount: 1, status: 400},
		"neither card nor transaction":          {amount: 1250, status: 400},
		"both":                                  {card: card("4111111111111111"), original: onFile(Pays), amount: 1, status: 400},
		"a refused transaction":                 {original: &Payment{Status: 400, Behaviour: Pays}, amount: 1, status: 400},
		"on file, pays":                         {original: onFile(Pays), amount: 1, status: 200, charged: 1},
		"on file, is declined":                  {original: onFile(Spent), amount: 1, status: 400},
		"on file, fails":                        {original: onFile(Fails), amount: 1, status: 500},
		"on file, answer lost":                  {original: onFile(Hangs), amount: 1, status: 200, charged: 1, lost: true},
		"taking a card on file":                 {card: card("4111111111111111"), status: 200},
		"taking a card that is declined":        {card: card("4000000000000002"), status: 400},
		"taking a card that will be declined":   {card: card("4000000000000341"), status: 200},
		"a card that will be declined":          {card: card("4000000000000341"), amount: 1250, status: 400},
		"taking a card that will fail":          {card: card("4000000000000119"), status: 200},
		"taking a card whose answers get lost":  {card: card("4000000000000259"), status: 200},
		"verifying a card on file":              {original: onFile(Pays), status: 200},
		"verifying a card that will be refused": {original: onFile(Spent), status: 400},
		"verifying a card that will fail":       {original: onFile(Fails), status: 500},
		"verifying a card whose answer is lost": {original: onFile(Hangs), status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decide(Request{Reference: "r", Card: test.card, Original: test.original, AmountCents: test.amount, Currency: "EUR"}, "t", at)
			if got.Status != test.status || got.Charged() != test.charged || got.AnswerLost() != test.lost || !got.Arrived {
				t.Errorf("got %+v, charged %d", got, got.Charged())
			}
		})
	}
}

func TestACardOnFileIsThatOfItsTransaction(t *testing.T) {
	first := Decide(Request{Card: card("4000000000000341")}, "t", at)
	if first.Behaviour != Spent || first.Last4 != "0341" {
		t.Errorf("on file %+v", first)
	}
	if again := Decide(Request{Original: &first, AmountCents: 1}, "t", at); again.Status != http.StatusBadRequest || again.Last4 != "0341" {
		t.Errorf("charged again %+v", again)
	}
}

func TestNothingIsChargedAfterARefund(t *testing.T) {
	p := Decide(Request{Card: card("4111111111111111"), AmountCents: 5}, "t", at)
	p.Refunded = true
	if p.Charged() != 0 || p.Status != http.StatusOK {
		t.Errorf("refunded %+v", p)
	}
	if tomb := Tombstone("r", "t", at); tomb.Charged() != 0 || tomb.Arrived || tomb.Status != http.StatusBadRequest {
		t.Errorf("tombstone %+v", tomb)
	}
}

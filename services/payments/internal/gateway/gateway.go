// Package gateway is the anti-corruption layer before the old payment gateway: it says what payments wants in the gateway's
// terms (snake case, cents, HTTP statuses as outcomes) and what the gateway answers in ours. Nothing of those terms
// passes it.
//
//	gateway                                     ours
//	200, and the amount is right                SUCCESS
//	400                                         FAILED
//	500, in the gateway's own format            ERROR
//	404 of a lookup                             ABSENT
//	else: 409, a timeout, a lost connection,    UNKNOWN
//	an open breaker, what cannot be read
//
// UNKNOWN is no outcome: whoever gets it looks the reference up. No call is repeated here.
package gateway

import (
	"context"
	"net/http"

	"github.com/trellis-mesh/trellis/contracts/money"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// Legacy is what the gateway offers.
type Legacy interface {
	GatewayLookupWithResponse(ctx context.Context, reference string, reqEditors ...legacyapi.RequestEditorFn) (*legacyapi.GatewayLookupResponse, error)
	GatewayPayWithResponse(ctx context.Context, body legacyapi.GatewayPayJSONRequestBody, reqEditors ...legacyapi.RequestEditorFn) (*legacyapi.GatewayPayResponse, error)
	GatewayRefundWithResponse(ctx context.Context, reference string, reqEditors ...legacyapi.RequestEditorFn) (*legacyapi.GatewayRefundResponse, error)
}

// Gateway speaks with the old payment gateway.
type Gateway struct {
	legacy Legacy
}

// New makes a gateway.
func New(legacy Legacy) *Gateway {
	return &Gateway{legacy: legacy}
}

// verification is the currency in which cards are verified, with an amount of 0.
const verification = "EUR"

// Accepts gives ErrAmount for an amount that cannot be charged.
func (g *Gateway) Accepts(amount money.Money) error {
	_, err := Cents(amount)
	return err
}

// Charge charges a card on file under a reference that was never used for another charge.
func (g *Gateway) Charge(ctx context.Context, reference, card string, amount money.Money) domain.Outcome {
	cents, err := Cents(amount)
	switch {
	case err != nil:
		return domain.Outcome{Result: domain.Refused, Reason: err.Error()}
	case cents == 0: // the gateway would take it for the verification of the card
		return domain.Outcome{Result: domain.Refused, Reason: "an amount of 0 cannot be charged"}
	}
	return g.pay(ctx, legacyapi.GatewayPayment{
		Reference: reference, OriginalTransactionID: &card, AmountCents: cents, CurrencyCode: amount.Currency(),
	})
}

// Register has the gateway take a card on file; the outcome's transaction id is the card's name from then on.
func (g *Gateway) Register(ctx context.Context, reference string, card domain.Card) domain.Outcome {
	number, month, year, code := card.Reveal()
	return g.pay(ctx, legacyapi.GatewayPayment{
		Reference: reference, CardNumber: &number, ExpiryMonth: &month, ExpiryYear: &year, Cvv: &code, CurrencyCode: verification,
	})
}

// Verify asks whether a charge of a card on file would succeed. SUCCESS is the gateway's promise that it will.
func (g *Gateway) Verify(ctx context.Context, reference, card string) domain.Outcome {
	return g.pay(ctx, legacyapi.GatewayPayment{Reference: reference, OriginalTransactionID: &card, CurrencyCode: verification})
}

func (g *Gateway) pay(ctx context.Context, payment legacyapi.GatewayPayment) domain.Outcome {
	response, err := g.legacy.GatewayPayWithResponse(ctx, payment)
	if err != nil {
		return unknown
	}
	var answer *legacyapi.GatewayAnswer
	switch response.StatusCode() {
	case http.StatusOK:
		answer = response.JSON200
	case http.StatusBadRequest:
		answer = response.JSON400
	case http.StatusInternalServerError:
		answer = response.JSON500
	}
	if answer == nil || answer.StatusCode != response.StatusCode() {
		return unknown
	}
	return outcome(*answer, payment.AmountCents)
}

// Lookup tells what became of the charge of an amount. It is UNKNOWN, too, once the charge was given back.
func (g *Gateway) Lookup(ctx context.Context, reference string, amount money.Money) domain.Outcome {
	cents, err := Cents(amount)
	if err != nil {
		return domain.Outcome{Result: domain.Refused, Reason: err.Error()} // so it was never sent
	}
	response, err := g.legacy.GatewayLookupWithResponse(ctx, reference)
	switch {
	case err != nil:
		return unknown
	case response.JSON404 != nil && response.JSON404.StatusCode == http.StatusNotFound:
		return domain.Outcome{Result: domain.Absent}
	case response.JSON200 != nil:
		return outcome(*response.JSON200, cents)
	}
	return unknown
}

// Refund gives a charge back, if there is one, and keeps it out if it is still to come: then, and when it was refused, the
// outcome is FAILED.
func (g *Gateway) Refund(ctx context.Context, reference string) domain.Outcome {
	response, err := g.legacy.GatewayRefundWithResponse(ctx, reference)
	switch {
	case err != nil:
		return unknown
	case response.JSON404 != nil && response.JSON404.StatusCode == http.StatusNotFound:
		return domain.Outcome{Result: domain.Refused, Reason: "nothing was charged"}
	case response.JSON200 == nil:
		return unknown
	}
	told := outcome(*response.JSON200, 0)
	if told.Result == domain.Error {
		told.Result = domain.Refused // the charge failed long ago; there is nothing to give back
	}
	return told
}

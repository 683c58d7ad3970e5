package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/trellis-mesh/trellis/contracts/money"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// ErrAmount is an amount that the gateway cannot be told.
var ErrAmount = errors.New("the amount cannot be charged")

// largest is the greatest amount in cents: a reader of JSON that takes numbers for floats still sees every cent of it.
const largest = 1<<53 - 1

// Cents is an amount in the smallest unit of its currency, exactly: ErrAmount is for what has no such number.
func Cents(amount money.Money) (int64, error) {
	cents, err := amount.Minor()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAmount, err)
	}
	if cents > largest {
		return 0, fmt.Errorf("%w: %s: %w", ErrAmount, amount, money.ErrTooLarge)
	}
	return cents, nil
}

var unknown = domain.Outcome{Result: domain.Unknown, Reason: "the payment gateway gave no usable answer"}

// outcome translates an answer to a charge of so many cents. An answer that contradicts the charge, or itself, is none.
func outcome(answer legacyapi.GatewayAnswer, cents int64) domain.Outcome {
	told := domain.Outcome{TransactionID: answer.TransactionID, Reason: reason(answer.ResponseMessage)}
	switch {
	case answer.TransactionID == "":
		return unknown
	case answer.StatusCode == http.StatusOK && answer.AmountCharged == cents:
		told.Result, told.Reason = domain.Success, ""
	case answer.StatusCode == http.StatusBadRequest && answer.AmountCharged == 0:
		told.Result = domain.Refused
	case answer.StatusCode == http.StatusInternalServerError && answer.AmountCharged == 0:
		told.Result = domain.Error
	default:
		return unknown
	}
	return told
}

// longNumber is what may be a card's number, however it is grouped.
var longNumber = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){11,}`)

// reason makes the gateway's message fit to be kept and shown: short, and without anything like a card's number.
func reason(message string) string {
	const longest = 200
	text := []rune(longNumber.ReplaceAllString(message, "…"))
	if len(text) == 0 {
		return "the payment gateway gave no reason"
	}
	return string(text[:min(len(text), longest)])
}

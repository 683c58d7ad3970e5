// Package http answers the operations of the contract, one file an operation.
package http

import (
	"errors"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/ledger/api"
	"github.com/trellis-mesh/trellis/services/ledger/internal/app"
	"github.com/trellis-mesh/trellis/services/ledger/internal/domain"
	"github.com/trellis-mesh/trellis/services/ledger/internal/store"
)

// Handler answers the operations of the contract.
type Handler struct {
	ledger *app.Ledger
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(ledger *app.Ledger) *Handler {
	return &Handler{ledger: ledger}
}

// present shows an account as the contract has it.
func present(a store.Account) api.Account {
	return api.Account{ID: a.ID, Owner: a.Owner, Balance: sum(a.Balance), Version: a.Version, OpenedAt: a.OpenedAt}
}

func sum(m money.Money) api.Money { return api.Money{Amount: m.Amount(), Currency: m.Currency()} }

// amount reads what is to be booked. What is no amount is refused.
func amount(m api.Money) (money.Money, error) {
	read, err := money.New(m.Amount, m.Currency)
	if err != nil {
		return money.Money{}, problem.Invalid("amount_invalid", err.Error())
	}
	return read, nil
}

// booking reads the body of a deposit or a withdrawal.
func booking(body *api.NewBooking) (money.Money, string, error) {
	text := ""
	if body.Text != nil {
		text = *body.Text
	}
	read, err := amount(body.Amount)
	return read, text, err
}

const soon = time.Second

// refusals are what a client is told about the errors that it can do something about. Those that speak of the moment are 503, so
// that no idempotency key keeps them.
var refusals = []struct {
	err     error
	problem func(detail string) *problem.Problem
}{
	{store.ErrNotFound, func(string) *problem.Problem {
		return problem.NotFound("account_not_found", "There is no such account, or there was none at that moment.")
	}},
	{store.ErrBusy, func(string) *problem.Problem {
		return problem.Unavailable("account_busy", "Others change the account all the time. Nothing was booked; try again.").WithRetryAfter(soon)
	}},
	{store.ErrVersion, func(string) *problem.Problem {
		return problem.Invalid("version_unknown", "The account has not come to this version.")
	}},
	{store.ErrNotYet, func(string) *problem.Problem {
		return problem.Unavailable("not_yet", "The statement does not know of this booking yet. Try again.").WithRetryAfter(soon)
	}},
	{domain.ErrInsufficient, func(string) *problem.Problem {
		return problem.Invalid("insufficient_funds", "The account has not enough money.")
	}},
	{domain.ErrCurrency, func(string) *problem.Problem {
		return problem.Invalid("currency_differs", "The account has another currency.")
	}},
	{domain.ErrAmount, func(detail string) *problem.Problem { return problem.Invalid("amount_invalid", detail) }},
}

// refusal is what a client is told about an error.
func refusal(err error) error {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.problem(err.Error())
		}
	}
	return err
}

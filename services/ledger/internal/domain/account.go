// Package domain is what an account is and which rules hold for it: an account is what its events make of it. It knows nothing of
// HTTP or databases.
//
//	opened, err := domain.Open("ada", opening)        // AccountCreated
//	withdrawn, err := account.Withdraw(amount, "rent") // MoneyWithdrawn, or ErrInsufficient
//	err = account.Apply(withdrawn)
//
// Decisions refuse, and Apply does not: what was accepted once has happened, whatever today's rules are.
package domain

import (
	"errors"
	"fmt"

	"github.com/trellis-mesh/trellis/contracts/money"
)

var (
	// ErrAmount is an amount that cannot be booked; the error's text says why.
	ErrAmount = errors.New("the amount cannot be booked")
	// ErrCurrency is an amount in another currency than the account's.
	ErrCurrency = errors.New("the account has another currency")
	// ErrInsufficient is a withdrawal of more than there is.
	ErrInsufficient = errors.New("the account has not enough money")
)

// Account is the sum of its events. The zero value has none yet.
type Account struct {
	Owner   string
	Balance money.Money
}

// Open decides to open an account; there may be nothing in it at first.
func Open(owner string, opening money.Money) (AccountCreated, error) {
	if _, err := opening.Minor(); err != nil {
		return AccountCreated{}, fmt.Errorf("%w: %w", ErrAmount, err)
	}
	return AccountCreated{Owner: owner, Opening: sumOf(opening)}, nil
}

// Deposit decides to put money in.
func (a Account) Deposit(amount money.Money, text string) (MoneyDeposited, error) {
	if err := a.accepts(amount); err != nil {
		return MoneyDeposited{}, err
	}
	balance, err := a.Balance.Add(amount)
	if err == nil {
		_, err = balance.Minor()
	}
	if err != nil {
		return MoneyDeposited{}, fmt.Errorf("%w: %w", ErrAmount, err)
	}
	return MoneyDeposited{Amount: sumOf(amount), Text: text}, nil
}

// Withdraw decides to take money out.
func (a Account) Withdraw(amount money.Money, text string) (MoneyWithdrawn, error) {
	if err := a.accepts(amount); err != nil {
		return MoneyWithdrawn{}, err
	}
	switch _, err := a.Balance.Sub(amount); {
	case errors.Is(err, money.ErrNegative):
		return MoneyWithdrawn{}, ErrInsufficient
	case err != nil:
		return MoneyWithdrawn{}, fmt.Errorf("%w: %w", ErrAmount, err)
	}
	return MoneyWithdrawn{Amount: sumOf(amount), Text: text}, nil
}

// accepts says whether an amount is one that this account can have booked: above zero, of its currency, and with no more digits
// than that has.
func (a Account) accepts(amount money.Money) error {
	if amount.Currency() != a.Balance.Currency() {
		return ErrCurrency
	}
	if amount.IsZero() {
		return fmt.Errorf("%w: it must be above zero", ErrAmount)
	}
	if _, err := amount.Minor(); err != nil {
		return fmt.Errorf("%w: %w", ErrAmount, err)
	}
	return nil
}

// Apply changes the account as an event says.
func (a *Account) Apply(event Event) error {
	amount, err := event.sum().money()
	if err != nil {
		return err
	}
	switch event := event.(type) {
	case AccountCreated:
		a.Owner, a.Balance = event.Owner, amount
		return nil
	case MoneyDeposited:
		a.Balance, err = a.Balance.Add(amount)
	case MoneyWithdrawn:
		a.Balance, err = a.Balance.Sub(amount)
	}
	return err
}

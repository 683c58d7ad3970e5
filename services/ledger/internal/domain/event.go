package domain

import "github.com/trellis-mesh/trellis/contracts/money"

// Event is something that happened to an account. Events are kept for ever as JSON: a change of these types is a new version of
// the event, with an upcast from the one before.
type Event interface {
	sum() Sum
}

// AccountCreated is the first event of every account.
type AccountCreated struct {
	Owner   string `json:"owner"`
	Opening Sum    `json:"opening"`
}

// MoneyDeposited is money that came in. Its second version tells why, and has the amount and the currency as one value.
type MoneyDeposited struct {
	Amount Sum    `json:"amount"`
	Text   string `json:"text"`
}

// MoneyWithdrawn is money that went out.
type MoneyWithdrawn struct {
	Amount Sum    `json:"amount"`
	Text   string `json:"text"`
}

func (e AccountCreated) sum() Sum { return e.Opening }
func (e MoneyDeposited) sum() Sum { return e.Amount }
func (e MoneyWithdrawn) sum() Sum { return e.Amount }

// MoneyDepositedV1 is the first version of MoneyDeposited. Nobody makes one any more; the old ones are still there.
type MoneyDepositedV1 struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// Upcast is the event in its present shape. Nobody said in those days what a deposit was for.
func (e MoneyDepositedV1) Upcast() (MoneyDeposited, error) {
	return MoneyDeposited{Amount: Sum(e)}, nil
}

// Sum is money as text, as events keep it.
type Sum struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

func sumOf(m money.Money) Sum { return Sum{Amount: m.Amount(), Currency: m.Currency()} }

func (s Sum) money() (money.Money, error) { return money.New(s.Amount, s.Currency) }

// Kind says what an event is to somebody who reads a statement.
type Kind string

// The kinds of bookings.
const (
	Opened    Kind = "opened"
	Deposited Kind = "deposited"
	Withdrawn Kind = "withdrawn"
)

// Booked is what a statement says of an event.
func Booked(event Event) (kind Kind, amount money.Money, text string, err error) {
	amount, err = event.sum().money()
	switch event := event.(type) {
	case MoneyDeposited:
		return Deposited, amount, event.Text, err
	case MoneyWithdrawn:
		return Withdrawn, amount, event.Text, err
	}
	return Opened, amount, "", err
}

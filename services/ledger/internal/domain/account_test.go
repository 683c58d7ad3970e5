package domain

import (
	"errors"
	"testing"

	"github.com/trellis-mesh/trellis/contracts/money"
)

func eur(t testing.TB, amount string) money.Money {
	t.Helper()
	m, err := money.New(amount, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// account is Ada's, with a balance.
func account(t testing.TB, balance string) Account {
	t.Helper()
	opened, err := Open("ada", eur(t, balance))
	if err != nil {
		t.Fatal(err)
	}
	return after(t, Account{}, opened)
}

func after(t testing.TB, a Account, event Event) Account {
	t.Helper()
	if err := a.Apply(event); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheBalanceIsTheSumOfTheEvents(t *testing.T) {
	a := account(t, "1000")
	deposited, err := a.Deposit(eur(t, "500"), "salary")
	if err != nil {
		t.Fatal(err)
	}
	a = after(t, a, deposited)
	withdrawn, err := a.Withdraw(eur(t, "200"), "rent")
	if err != nil {
		t.Fatal(err)
	}
	a = after(t, a, withdrawn)
	if a.Owner != "ada" || !a.Balance.Equal(eur(t, "1300")) {
		t.Errorf("account %+v", a)
	}
	if a = after(t, a, MoneyWithdrawn{Amount: Sum{"1300.00", "EUR"}}); !a.Balance.IsZero() {
		t.Errorf("account %+v", a)
	}
}

func TestWhatCannotBeBookedIsRefused(t *testing.T) {
	a := account(t, "1000")
	dollars, err := money.New("1", "USD")
	if err != nil {
		t.Fatal(err)
	}
	large := account(t, "90000000000000000") // in cents, nearly all that 64 bits hold
	deposit := func(a Account, m money.Money) error { _, err := a.Deposit(m, ""); return err }
	withdraw := func(a Account, m money.Money) error { _, err := a.Withdraw(m, ""); return err }
	open := func(_ Account, m money.Money) error { _, err := Open("ada", m); return err }
	for name, tt := range map[string]struct {
		decide func(Account, money.Money) error
		of     Account
		amount money.Money
		want   error
	}{
		"a withdrawal of all":          {withdraw, a, eur(t, "1000.00"), nil},
		"a withdrawal of more":         {withdraw, a, eur(t, "1000.01"), ErrInsufficient},
		"a withdrawal of nothing":      {withdraw, a, eur(t, "0.00"), ErrAmount},
		"a withdrawal of half a cent":  {withdraw, a, eur(t, "0.005"), ErrAmount},
		"a withdrawal of dollars":      {withdraw, a, dollars, ErrCurrency},
		"a deposit of a cent":          {deposit, a, eur(t, "0.01"), nil},
		"a deposit of nothing":         {deposit, a, eur(t, "0"), ErrAmount},
		"a deposit of half a cent":     {deposit, a, eur(t, "0.005"), ErrAmount},
		"a deposit of dollars":         {deposit, a, dollars, ErrCurrency},
		"a deposit beyond all numbers": {deposit, large, eur(t, "90000000000000000"), ErrAmount},
		"an account without money":     {open, Account{}, eur(t, "0"), nil},
		"an account with half a cent":  {open, Account{}, eur(t, "0.005"), ErrAmount},
	} {
		if err := tt.decide(tt.of, tt.amount); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
	}
}

func TestAnOldDepositIsOneWithoutAText(t *testing.T) {
	deposited, err := MoneyDepositedV1{Amount: "500.00", Currency: "EUR"}.Upcast()
	if err != nil {
		t.Fatal(err)
	}
	if want := (MoneyDeposited{Amount: Sum{"500.00", "EUR"}}); deposited != want {
		t.Errorf("upcast to %+v, want %+v", deposited, want)
	}
}

func TestAnEventThatCannotBeReadIsAnError(t *testing.T) {
	a := account(t, "1")
	for name, event := range map[string]Event{
		"no amount":                MoneyDeposited{},
		"another currency":         MoneyDeposited{Amount: Sum{"1", "USD"}},
		"more than there ever was": MoneyWithdrawn{Amount: Sum{"2", "EUR"}},
	} {
		if err := a.Apply(event); err == nil {
			t.Errorf("%s: the balance is %s", name, a.Balance)
		}
		a = account(t, "1")
	}
}

package store

import (
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// paymentRow is a payment as its table has it. The amount is text: no database rounds it.
type paymentRow struct {
	bun.BaseModel `bun:"table:payments"`

	OrderID       string `bun:",pk"`
	ID            string
	CustomerID    string
	Method        string
	Card          string
	Amount        string
	Currency      string
	Status        string
	Reference     string
	Tries         int
	Bound         bool
	Announced     bool
	Unanswered    bool
	TransactionID string
	Reason        string
	CreatedAt     time.Time
	Asked         int
	DueAt         *time.Time
	Origin        telemetry.Origin // of who wants it; not the payment's own, but the work's on it
}

func rowOf(p domain.Payment) paymentRow {
	return paymentRow{
		OrderID: p.Order.ID, ID: p.ID, CustomerID: p.CustomerID, Method: p.Method, Card: p.Card, Amount: p.Amount.Amount(),
		Currency: p.Amount.Currency(), Status: string(p.Status), Reference: p.Reference, Tries: p.Tries, Bound: p.Bound,
		Announced: p.Announced, Unanswered: p.Unanswered, TransactionID: p.TransactionID, Reason: p.Reason, CreatedAt: p.CreatedAt,
	}
}

func (r paymentRow) payment() (domain.Payment, error) {
	p := domain.Payment{
		ID: r.ID, Order: domain.Order{ID: r.OrderID, CustomerID: r.CustomerID, Method: r.Method}, Card: r.Card,
		Status: domain.Status(r.Status), Reference: r.Reference, Tries: r.Tries, Bound: r.Bound, Announced: r.Announced,
		Unanswered: r.Unanswered, TransactionID: r.TransactionID, Reason: r.Reason, CreatedAt: r.CreatedAt.UTC(),
	}
	if p.IsTombstone() {
		return p, nil
	}
	var err error
	if p.Amount, err = money.New(r.Amount, r.Currency); err != nil {
		return p, fmt.Errorf("payment of order %s: %w", r.OrderID, err)
	}
	return p, nil
}

type methodRow struct {
	bun.BaseModel `bun:"table:payment_methods"`

	ID         string `bun:",pk"`
	CustomerID string
	Brand      string
	Last4      string `bun:"last4"`
	Card       string
	CreatedAt  time.Time
}

type transactionRow struct {
	bun.BaseModel `bun:"table:transactions"`

	ID        string `bun:",pk"`
	OrderID   string
	State     string
	Reason    string
	ChangedAt time.Time
}

package http

import (
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// present shows a payment as the contract has it. A promise is a payment whose outcome nobody knows yet.
func present(p domain.Payment) api.Payment {
	shown := api.Payment{
		ID: p.ID, OrderID: p.Order.ID, CustomerID: p.CustomerID, Status: api.PaymentStatus(p.Status), CreatedAt: p.CreatedAt,
		Amount: api.Money{Amount: p.Amount.Amount(), Currency: p.Amount.Currency()},
		Reason: given(p.Reason), TransactionID: given(p.TransactionID),
	}
	if p.Status == domain.Promised {
		shown.Status = api.PaymentStatus(domain.Pending)
	}
	if degraded := p.Open() && p.Unanswered; degraded {
		shown.Degraded = &degraded
	}
	return shown
}

func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

package http

import (
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
)

// present shows a payment as the contract has it.
func present(payment store.Payment) api.Payment {
	return api.Payment{
		ID:        payment.ID,
		CreatedAt: payment.CreatedAt,
	}
}

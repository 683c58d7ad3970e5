package app

import (
	"strconv"

	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// count counts what the payment gateway has told of a payment, once it is kept. A refund of what was never charged gives no money back.
func (p *Payments) count(payment domain.Payment) {
	amount, err := strconv.ParseFloat(payment.Amount.Amount(), 64)
	if err != nil {
		return // an amount is a decimal number
	}
	switch payment.Status {
	case domain.Succeeded:
		p.metrics.Settled("succeeded").Inc()
		p.metrics.MoneyTaken(payment.Amount.Currency()).Add(amount)
	case domain.Failed:
		p.metrics.Settled("failed").Inc()
	case domain.Refunded:
		p.metrics.Settled("refunded").Inc()
		if payment.GivenBack() {
			p.metrics.MoneyRefunded(payment.Amount.Currency()).Add(amount)
		}
	case domain.Promised, domain.Pending, domain.Refunding: // it goes on
	}
}

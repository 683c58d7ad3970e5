package http

import (
	"context"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// PayOrder pays the invoice of an order, and says what was undone when it could not be.
func (h *Handler) PayOrder(ctx context.Context, request api.PayOrderRequestObject) (api.PayOrderResponseObject, error) {
	if err := h.own(ctx, request.ID); err != nil {
		return nil, err
	}
	order, err := h.Orders.Pay(ctx, request.ID, request.Body.PaymentMethod)
	if err != nil {
		return nil, refusal(err)
	}
	switch order.Bill.Status {
	case domain.Failed:
		return nil, problem.Invalid("payment_failed", "The payment was refused ("+strings.TrimSuffix(order.Bill.Reason, ".")+"). Nothing was charged.")
	case domain.Undone:
		return nil, problem.Conflict("payment_undone", undone(order.Bill.Reason))
	case domain.Unpaid, domain.Paying, domain.Paid:
	}
	shown, err := present(order)
	if order.Bill.Status == domain.Paid {
		return api.PayOrder200JSONResponse(shown), err
	}
	return api.PayOrder202JSONResponse(shown), err
}

// undone says how far an attempt to pay came, and what was undone.
func undone(reason string) string {
	switch reason {
	case app.NotUpdated:
		return "You were charged, but the order could not be marked as paid. The charge is given back; the invoice is open as before."
	case app.NotTold:
		return "You were charged and the order was marked as paid, but this could not be told to others. Both is undone: the charge is " +
			"given back, and the invoice is open as before."
	case app.NotConfirmed:
		return "The payment was not confirmed in time. If you were charged, that is given back; the invoice is open as before."
	}
	return "The payment was refused (" + strings.TrimSuffix(reason, ".") + ") after it had not been clear whether it was made. If you were " +
		"charged, that is given back; the invoice is open as before."
}

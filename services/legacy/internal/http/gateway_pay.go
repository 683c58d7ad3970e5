package http

import (
	"context"
	"errors"
	"net/http"

	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/internal/domain"
	"github.com/trellis-mesh/trellis/services/legacy/internal/store"
)

// GatewayPay decides about a payment and keeps the answer under its reference before it is given. A reference that is known
// is answered 409 and changes nothing.
func (h *Handler) GatewayPay(ctx context.Context, request api.GatewayPayRequestObject) (api.GatewayPayResponseObject, error) {
	asked, err := h.asked(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	payment, first, err := h.Store.Keep(ctx, domain.Decide(asked, h.newID(), h.now()))
	if err != nil {
		return nil, err
	}
	told := answer(payment)
	if !first {
		told.StatusCode, told.ResponseMessage, told.AmountCharged = http.StatusConflict, "the reference was used before", 0
		return api.GatewayPay409JSONResponse(told), nil
	}
	if payment.AnswerLost() {
		<-ctx.Done() // it is charged; whoever asked finds out by looking it up
		return nil, ctx.Err()
	}
	switch payment.Status {
	case http.StatusOK:
		return api.GatewayPay200JSONResponse(told), nil
	case http.StatusBadRequest:
		return api.GatewayPay400JSONResponse(told), nil
	}
	return api.GatewayPay500JSONResponse(told), nil
}

func (h *Handler) asked(ctx context.Context, body *api.GatewayPayment) (domain.Request, error) {
	asked := domain.Request{Reference: body.Reference, AmountCents: body.AmountCents, Currency: body.CurrencyCode}
	if body.CardNumber != nil && body.ExpiryMonth != nil && body.ExpiryYear != nil {
		asked.Card = &domain.Card{Number: *body.CardNumber, ExpiryMonth: *body.ExpiryMonth, ExpiryYear: *body.ExpiryYear}
	}
	if body.OriginalTransactionID == nil {
		return asked, nil
	}
	original, err := h.Store.Transaction(ctx, *body.OriginalTransactionID)
	if errors.Is(err, store.ErrNotFound) {
		return asked, nil
	}
	asked.Original = &original
	return asked, err
}

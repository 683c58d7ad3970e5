package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// GetStatement lists what was booked on an account, the latest first.
func (h *Handler) GetStatement(ctx context.Context, request api.GetStatementRequestObject) (api.GetStatementResponseObject, error) {
	limit, since := 50, int64(0) // as the contract says
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	if request.Params.Since != nil {
		since = *request.Params.Since
	}
	bookings, err := h.ledger.Statement(ctx, request.ID, since, limit)
	if err != nil {
		return nil, refusal(err)
	}
	answer := api.GetStatement200JSONResponse{Items: make([]api.Booking, len(bookings))}
	for i, b := range bookings {
		answer.Items[i] = api.Booking{Version: b.Version, Kind: api.BookingKind(b.Kind), Amount: sum(b.Amount), Balance: sum(b.Balance), At: b.At}
		if b.Text != "" {
			answer.Items[i].Text = &b.Text
		}
	}
	return answer, nil
}

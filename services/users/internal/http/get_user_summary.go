package http

import (
	"context"
	"errors"
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
	"github.com/trellis-mesh/trellis/services/users/internal/summary"
)

// GetUserSummary gives what a user has ordered, and waits for an order that it must know of.
func (h *Handler) GetUserSummary(ctx context.Context, request api.GetUserSummaryRequestObject) (api.GetUserSummaryResponseObject, error) {
	if err := auth.Own(ctx, request.ID); err != nil {
		return nil, err
	}
	if _, err := h.Store.Get(ctx, request.ID); errors.Is(err, store.ErrNotFound) {
		return nil, problem.NotFound("user_not_found", "There is no such user.")
	} else if err != nil {
		return nil, err
	}
	if order := request.Params.Since; order != nil {
		err := h.Summaries.WaitFor(ctx, request.ID, *order)
		if errors.Is(err, summary.ErrBehind) {
			return nil, problem.Unavailable("summary_behind", "The summary does not know of this order yet.").WithRetryAfter(time.Second).WithCause(err)
		}
		if err != nil {
			return nil, err
		}
	}
	found, err := h.Summaries.Get(ctx, request.ID)
	if err != nil {
		return nil, err
	}
	answer := api.GetUserSummary200JSONResponse{
		UserID: found.UserID, OrderCount: found.OrderCount, Version: found.Version, TotalSpent: make([]api.Money, len(found.Totals)),
	}
	for i, total := range found.Totals {
		answer.TotalSpent[i] = api.Money{Amount: total.Amount(), Currency: total.Currency()}
	}
	if !found.LastOrderAt.IsZero() {
		answer.LastOrderDate = &found.LastOrderAt
	}
	return answer, nil
}

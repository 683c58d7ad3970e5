package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/services/notifications/api"
)

// ListMessages lists the messages to a customer, the latest first.
func (h *Handler) ListMessages(ctx context.Context, request api.ListMessagesRequestObject) (api.ListMessagesResponseObject, error) {
	if err := auth.Own(ctx, request.Params.CustomerID); err != nil {
		return nil, err
	}
	limit := 50 // as the contract says
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	messages, err := h.notifications.List(ctx, request.Params.CustomerID, limit)
	if err != nil {
		return nil, err
	}
	answer := api.ListMessages200JSONResponse{Items: make([]api.Message, len(messages))}
	for i, m := range messages {
		answer.Items[i] = present(m)
	}
	return answer, nil
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/notifications/api"
)

// ListMessages is to be written: GET /v1/messages.
func (h *Handler) ListMessages(_ context.Context, _ api.ListMessagesRequestObject) (api.ListMessagesResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation listMessages is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/news/api"
)

// RefreshNews is to be written: POST /v1/refreshes.
func (h *Handler) RefreshNews(_ context.Context, _ api.RefreshNewsRequestObject) (api.RefreshNewsResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation refreshNews is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
)

// GetFeed is to be written: GET /feeds/{name}.
func (h *Handler) GetFeed(_ context.Context, _ api.GetFeedRequestObject) (api.GetFeedResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getFeed is not written yet.")
}

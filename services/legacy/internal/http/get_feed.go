package http

import (
	"bytes"
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/internal/feed"
)

// GetFeed gives a newspaper's feed.
func (h *Handler) GetFeed(_ context.Context, request api.GetFeedRequestObject) (api.GetFeedResponseObject, error) {
	text, known, err := feed.Named(string(request.Name))
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, problem.NotFound("feed_not_found", "There is no such feed.")
	}
	return api.GetFeed200ApplicationRssXMLResponse{Body: bytes.NewReader(text), ContentLength: int64(len(text))}, nil
}

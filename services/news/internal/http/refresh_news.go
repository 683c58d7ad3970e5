package http

import (
	"context"
	"errors"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/news/api"
	"github.com/trellis-mesh/trellis/services/news/internal/app"
)

// RefreshNews has all sources asked now. Whoever asks while another request does is told so, and does not wait: what comes of it is in
// the list a moment later.
func (h *Handler) RefreshNews(ctx context.Context, _ api.RefreshNewsRequestObject) (api.RefreshNewsResponseObject, error) {
	results, err := h.news.Refresh(ctx)
	if errors.Is(err, app.ErrRunning) {
		return nil, problem.Conflict("refresh_running", "The sources are being asked for somebody else.").WithRetryAfter(time.Second)
	}
	if err != nil {
		return nil, err
	}
	refresh := api.RefreshNews200JSONResponse{Sources: []api.SourceResult{}}
	for _, r := range results {
		shown := api.SourceResult{
			Source: r.Source, Status: api.SourceResultStatus(r.Status), Found: r.Found, Added: r.Added, Milliseconds: int(r.Took.Milliseconds()),
		}
		if r.Reason != "" {
			shown.Error = &r.Reason
		}
		refresh.Sources = append(refresh.Sources, shown)
	}
	return refresh, nil
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
)

// GetDashboard gives the dashboard of a user: that of the one whom the token speaks for when none is named.
func (h *Handler) GetDashboard(ctx context.Context, request api.GetDashboardRequestObject) (api.GetDashboardResponseObject, error) {
	userID := ""
	if request.Params.UserID != nil {
		userID = *request.Params.UserID
	} else if identity, ok := auth.From(ctx); ok {
		userID = identity.Subject
	}
	if userID == "" {
		return nil, problem.BadRequest("user_missing", "Neither the request nor its access token says whose dashboard is meant.")
	}
	if err := auth.Own(ctx, userID); err != nil {
		return nil, err
	}
	dashboard, err := h.Pages.Dashboard(ctx, userID)
	if err != nil {
		return nil, err
	}
	return api.GetDashboard200JSONResponse(presentDashboard(dashboard)), nil
}

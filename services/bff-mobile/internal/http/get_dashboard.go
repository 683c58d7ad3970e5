package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/bff-mobile/api"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/app"
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
	dashboard, err := h.Screens.Dashboard(ctx, userID)
	if err != nil {
		return nil, err
	}
	return api.GetDashboard200JSONResponse(present(dashboard)), nil
}

// present shows a dashboard as the contract has it.
func present(d app.Dashboard) api.Dashboard {
	out := api.Dashboard{Orders: make([]api.Order, len(d.Orders))}
	for i, order := range d.Orders {
		out.Orders[i] = api.Order{
			ID: order.ID, Status: order.Status, CreatedAt: order.CreatedAt,
			Total: api.Money{Amount: order.Total.Amount(), Currency: order.Total.Currency()},
		}
	}
	if d.User != nil {
		out.User = &api.User{Name: d.User.Name}
		if d.User.Avatar != "" {
			out.User.Avatar = &d.User.Avatar
		}
	}
	if len(d.Missing) > 0 {
		out.Degraded = &d.Missing
	}
	return out
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetDashboard passes the request on to bff-web.
func (h *Handler) GetDashboard(ctx context.Context, _ api.GetDashboardRequestObject) (api.GetDashboardResponseObject, error) {
	return h.pass(ctx)
}

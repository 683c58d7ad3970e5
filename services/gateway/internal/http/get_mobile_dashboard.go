package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetMobileDashboard passes the request on to bff-mobile.
func (h *Handler) GetMobileDashboard(ctx context.Context, _ api.GetMobileDashboardRequestObject) (api.GetMobileDashboardResponseObject, error) {
	return h.pass(ctx)
}

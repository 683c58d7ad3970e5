package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetMobileDashboard is to be written: GET /api/mobile/dashboard.
func (h *Handler) GetMobileDashboard(_ context.Context, _ api.GetMobileDashboardRequestObject) (api.GetMobileDashboardResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getMobileDashboard is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/gateway/api"
)

// GetDashboard is to be written: GET /api/dashboard.
func (h *Handler) GetDashboard(_ context.Context, _ api.GetDashboardRequestObject) (api.GetDashboardResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getDashboard is not written yet.")
}

package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
)

// GetDashboard is to be written: GET /v1/dashboard.
func (h *Handler) GetDashboard(_ context.Context, _ api.GetDashboardRequestObject) (api.GetDashboardResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getDashboard is not written yet.")
}

package http

import (
	"github.com/trellis-mesh/trellis/services/bff-web/api"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/store"
)

// present shows a dashboard as the contract has it.
func present(dashboard store.Dashboard) api.Dashboard {
	return api.Dashboard{}
}

package http

import (
	"github.com/trellis-mesh/trellis/services/bff-mobile/api"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/store"
)

// present shows a dashboard as the contract has it.
func present(dashboard store.Dashboard) api.Dashboard {
	return api.Dashboard{}
}

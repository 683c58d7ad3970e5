package http

import (
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/store"
)

// present shows a reservation as the contract has it.
func present(reservation store.Reservation) api.Reservation {
	return api.Reservation{}
}

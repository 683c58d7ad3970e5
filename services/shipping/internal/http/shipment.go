package http

import (
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
)

// present shows a shipment as the contract has it.
func present(shipment store.Shipment) api.Shipment {
	return api.Shipment{
		ID:        shipment.ID,
		CreatedAt: shipment.CreatedAt,
	}
}

package main

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/contractfuzz"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	inventoryapi "github.com/trellis-mesh/trellis/services/inventory/api"
	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
	shippingapi "github.com/trellis-mesh/trellis/services/shipping/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// FuzzRequests looks for requests that the service cannot bear.
func FuzzRequests(f *testing.F) { contractfuzz.Run(f, service()) }

func TestCreatingIsIdempotent(t *testing.T) { contractfuzz.Idempotency(t, service()) }

func service() contractfuzz.Service {
	return contractfuzz.Service{
		Spec: spec, Wire: wire,
		Callees: map[string][]byte{
			"catalog":   catalogapi.Contract,
			"inventory": inventoryapi.Contract,
			"payments":  paymentsapi.Contract,
			"shipping":  shippingapi.Contract,
			"users":     usersapi.Contract,
		},
	}
}

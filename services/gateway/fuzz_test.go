package main

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/contractfuzz"
	bffmobileapi "github.com/trellis-mesh/trellis/services/bff-mobile/api"
	bffwebapi "github.com/trellis-mesh/trellis/services/bff-web/api"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// FuzzRequests looks for requests that the service cannot bear.
func FuzzRequests(f *testing.F) {
	contractfuzz.Run(f, contractfuzz.Service{
		Spec: spec, Wire: wire, Passes: true,
		Callees: map[string][]byte{
			"bff-mobile": bffmobileapi.Contract,
			"bff-web":    bffwebapi.Contract,
			"catalog":    catalogapi.Contract,
			"legacy":     legacyapi.Contract,
			"orders":     ordersapi.Contract,
			"users":      usersapi.Contract,
		},
	})
}

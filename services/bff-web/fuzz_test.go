package main

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/contractfuzz"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// FuzzRequests looks for requests that the service cannot bear.
func FuzzRequests(f *testing.F) {
	contractfuzz.Run(f, contractfuzz.Service{
		Spec: spec, Wire: wire,
		Callees: map[string][]byte{
			"catalog":  catalogapi.Contract,
			"orders":   ordersapi.Contract,
			"payments": paymentsapi.Contract,
			"users":    usersapi.Contract,
		},
	})
}

package main

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/contractfuzz"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// FuzzRequests looks for requests that the service cannot bear.
func FuzzRequests(f *testing.F) {
	contractfuzz.Run(f, contractfuzz.Service{
		Spec: spec, Wire: wire,
		Callees: map[string][]byte{
			"orders": ordersapi.Contract,
			"users":  usersapi.Contract,
		},
	})
}

package main

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/contractfuzz"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
)

// FuzzRequests looks for requests that the service cannot bear.
func FuzzRequests(f *testing.F) {
	contractfuzz.Run(f, contractfuzz.Service{
		Spec: spec, Wire: wire, Callees: map[string][]byte{"legacy": legacyapi.Contract},
	})
}

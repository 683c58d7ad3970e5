package main

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/contractfuzz"
)

// FuzzRequests looks for requests that the service cannot bear.
func FuzzRequests(f *testing.F) { contractfuzz.Run(f, service()) }

func TestCreatingIsIdempotent(t *testing.T) { contractfuzz.Idempotency(t, service()) }

func service() contractfuzz.Service {
	return contractfuzz.Service{Spec: spec, Wire: wire}
}

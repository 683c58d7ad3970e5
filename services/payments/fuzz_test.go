package main

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/contractfuzz"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/legacytest"
)

// FuzzRequests looks for requests that the service cannot bear.
func FuzzRequests(f *testing.F) { contractfuzz.Run(f, service(f)) }

func TestCreatingIsIdempotent(t *testing.T) { contractfuzz.Idempotency(t, service(t)) }

func service(t testing.TB) contractfuzz.Service {
	t.Helper()
	return contractfuzz.Service{
		Spec: spec, Wire: wire,
		Callees: map[string][]byte{"legacy": legacyapi.Contract},
		Doubles: map[string]http.Handler{"legacy": legacytest.New(t)},
	}
}

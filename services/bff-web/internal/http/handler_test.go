package http

import (
	"io"
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
)

// serve is the API as the service has it, contract validation included, on what the test gives.
func serve(t *testing.T, deps Deps) http.Handler {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "bff-web", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	api.Register(server.Router(), New(deps))
	return server.Handler()
}

func TestServiceServesItsContract(t *testing.T) {
	serve(t, Deps{})
}

package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/services/shipping/api"
)

func TestConsumersGetWhatTheyExpect(t *testing.T) {
	expecttest.Verify(t, "shipping", api.Contract, map[string]expecttest.State{
		"": func(t *testing.T) expecttest.Service { return expecttest.Service{Handler: newLab(t).handler} },
		"the shipment of o1 is cancelled": func(t *testing.T) expecttest.Service {
			l := newLab(t)
			call[any](t, l, "DELETE", "/v1/shipments/o1", "", http.StatusNoContent)
			return expecttest.Service{Handler: l.handler}
		},
		"the transaction t1 is promised": func(t *testing.T) expecttest.Service {
			l := newLab(t)
			prepare(t, l, "t1", "")
			return expecttest.Service{Handler: l.handler}
		},
	})
}

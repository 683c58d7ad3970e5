package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/services/inventory/api"
)

func TestConsumersGetWhatTheyExpect(t *testing.T) {
	stocked := func(t *testing.T) lab {
		l := newLab(t)
		call[api.Stock](t, l, "PUT", "/v1/stock/tea", `{"onHand": 10}`, http.StatusOK)
		return l
	}
	expecttest.Verify(t, "inventory", api.Contract, map[string]expecttest.State{
		"there is no tea":    func(t *testing.T) expecttest.Service { return expecttest.Service{Handler: newLab(t).handler} },
		"there are ten teas": func(t *testing.T) expecttest.Service { return expecttest.Service{Handler: stocked(t).handler} },
		"the transaction t1 is promised": func(t *testing.T) expecttest.Service {
			l := stocked(t)
			prepare(t, l, "t1", "o1", "")
			return expecttest.Service{Handler: l.handler}
		},
	})
}

package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

func TestConsumersGetWhatTheyExpect(t *testing.T) {
	expecttest.Verify(t, "orders", api.Contract, map[string]expecttest.State{
		"there is no order": func(t *testing.T) expecttest.Service {
			h, _ := serve(t, Deps{})
			return expecttest.Service{Handler: h}
		},
		"ada can order tea": func(t *testing.T) expecttest.Service {
			h, _ := serve(t, Deps{Clients: shop()})
			return expecttest.Service{Handler: h}
		},
		"ada has ordered tea": func(t *testing.T) expecttest.Service {
			h, _ := serve(t, Deps{Clients: shop()})
			var created api.Order
			call(t, h, "POST", "/v1/orders", teaForTwo, http.StatusCreated, &created)
			return expecttest.Service{Handler: h, Names: map[string]string{"o1": created.ID}}
		},
	})
}

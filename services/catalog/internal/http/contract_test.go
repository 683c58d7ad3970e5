package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/services/catalog/api"
)

func TestConsumersGetWhatTheyExpect(t *testing.T) {
	expecttest.Verify(t, "catalog", api.Contract, map[string]expecttest.State{
		"there is no product": func(t *testing.T) expecttest.Service {
			return expecttest.Service{Handler: serveStore(t, &fakeStore{})}
		},
		"there is the product tea": func(t *testing.T) expecttest.Service {
			h := serveStore(t, &fakeStore{})
			var tea api.Product
			call(t, h, "POST", "/v1/products", `{"sku": "tea", "name": "Tea", "price": {"amount": "12.50", "currency": "EUR"}}`, http.StatusCreated, &tea)
			return expecttest.Service{Handler: h, Names: map[string]string{"tea": tea.ID}}
		},
	})
}

package http_test

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/legacytest"
)

func TestConsumersGetWhatTheyExpect(t *testing.T) {
	onFile := func(number string) expecttest.State {
		return func(t *testing.T) expecttest.Service {
			g := legacytest.New(t)
			taken := call(t, g, "POST", "/gateway/payments", payment("taken", number, "0"), http.StatusOK)
			return expecttest.Service{Handler: g, Names: map[string]string{"visa": taken.TransactionID}}
		}
	}
	expecttest.Verify(t, "legacy", api.Contract, map[string]expecttest.State{
		"":                         func(t *testing.T) expecttest.Service { return expecttest.Service{Handler: legacytest.New(t)} },
		"the card visa is on file": onFile("4111111111111111"),
		"the card visa, which breaks the gateway, is on file": onFile("4000000000000119"),
		"the monolith has tea": func(t *testing.T) expecttest.Service {
			g := legacytest.New(t)
			call(t, g, "PUT", "/monolith/products/tea", `{"product_id": "tea", "product_code": "T", "title": "Tea", "price_cents": 1250, "currency_code": "EUR"}`, http.StatusOK)
			return expecttest.Service{Handler: g}
		},
		"the payment r1 is charged": func(t *testing.T) expecttest.Service {
			g := legacytest.New(t)
			call(t, g, "POST", "/gateway/payments", payment("r1", "4111111111111111", "1250"), http.StatusOK)
			return expecttest.Service{Handler: g}
		},
	})
}

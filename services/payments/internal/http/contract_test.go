package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/expect/expecttest"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

func TestConsumersGetWhatTheyExpect(t *testing.T) {
	expecttest.Verify(t, "payments", api.Contract, map[string]expecttest.State{
		"": func(t *testing.T) expecttest.Service { return expecttest.Service{Handler: newService(t)} },
		"the transaction t1 is promised": func(t *testing.T) expecttest.Service {
			s := newService(t)
			var vote api.Vote
			if s.call(t, "PUT", "/v1/transactions/t1", transaction("invoice"), http.StatusOK, &vote); vote.Vote != api.Yes {
				t.Fatalf("vote %+v", vote)
			}
			return expecttest.Service{Handler: s}
		},
		"ada has paid for o1": func(t *testing.T) expecttest.Service {
			s := newService(t)
			var paid api.Payment
			s.call(t, "PUT", "/v1/payments/o1", newPayment("invoice", "12.50"), http.StatusOK, &paid)
			return expecttest.Service{Handler: s}
		},
	})
}

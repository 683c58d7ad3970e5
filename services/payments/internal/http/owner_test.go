package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

func TestUsersReachTheirOwnPaymentsOnly(t *testing.T) {
	h := newService(t)
	var paid api.Payment
	h.call(t, "PUT", "/v1/payments/o", newPayment(h.card(t, pays), "12.50"), http.StatusOK, &paid)
	for _, c := range []struct {
		method, path, body string
		own, others        int
	}{
		{"POST", "/v1/payment-methods", newCard(pays), 201, 403},
		{"GET", "/v1/payments?customerId=ada", "", 200, 403},
		{"GET", "/v1/payments/o", "", 200, 404},
	} {
		if got := authtest.Ask(h, "mallory", c.method, c.path, c.body); got != c.others {
			t.Errorf("%s %s of another user: status %d, want %d", c.method, c.path, got, c.others)
		}
		if got := authtest.Ask(h, "ada", c.method, c.path, c.body); got != c.own {
			t.Errorf("%s %s of one's own: status %d, want %d", c.method, c.path, got, c.own)
		}
	}
}

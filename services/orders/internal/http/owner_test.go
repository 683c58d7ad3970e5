package http

import (
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

func TestUsersReachTheirOwnOrdersOnly(t *testing.T) {
	h, _ := serve(t, Deps{Clients: shop()})
	var placed, draft api.Order
	call(t, h, "POST", "/v1/orders", teaForTwo, http.StatusCreated, &placed)
	call(t, h, "POST", "/v1/orders", `{"customerId": "ada", "items": [{"productId": "tea", "quantity": 1}], "draft": true}`, http.StatusCreated, &draft)
	for _, c := range []struct {
		method, path, body string
		own, others        int
	}{
		{"POST", "/v1/orders", teaForTwo, 201, 403},
		{"GET", "/v1/orders?customerId=ada", "", 200, 403},
		{"GET", "/v1/orders/" + placed.ID, "", 200, 404},
		{"POST", "/v1/orders/" + draft.ID + "/items", `{"productId": "sugar", "quantity": 1}`, 200, 404},
		{"DELETE", "/v1/orders/" + draft.ID + "/items/sugar", "", 200, 404},
		{"PUT", "/v1/orders/" + draft.ID + "/payment", `{"method": "invoice", "amount": {"amount": "1.00", "currency": "EUR"}}`, 422, 404},
		{"PUT", "/v1/orders/" + draft.ID + "/shipping", `{"address": "Main Street 1"}`, 200, 404},
		{"POST", "/v1/orders/" + draft.ID + "/confirm", "", 422, 404},
		{"POST", "/v1/orders/" + placed.ID + "/pay", `{"paymentMethod": "m-1"}`, 409, 404},
	} {
		if got := authtest.Ask(h, "mallory", c.method, c.path, c.body); got != c.others {
			t.Errorf("%s %s of another user: status %d, want %d", c.method, c.path, got, c.others)
		}
		if got := authtest.Ask(h, "ada", c.method, c.path, c.body); got != c.own {
			t.Errorf("%s %s of one's own: status %d, want %d", c.method, c.path, got, c.own)
		}
	}
}

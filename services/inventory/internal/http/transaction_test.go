package http

import (
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// transaction is what a transaction asks for: three teas for an order.
func transaction(order string) string {
	return `{"orderId": "` + order + `", "customerId": "ada", "paymentMethod": "invoice", "total": {"amount": "12.50", "currency": "EUR"},
		"items": [{"productId": "tea", "quantity": 1}, {"productId": "tea", "quantity": 2}]}`
}

// prepare asks for a vote and expects it; an empty reason expects yes.
func prepare(t *testing.T, l lab, id, order, reason string) {
	t.Helper()
	got := call[api.Vote](t, l, "PUT", "/v1/transactions/"+id, transaction(order), http.StatusOK)
	switch {
	case reason == "" && (got.Vote != api.Yes || got.Reason != nil):
		t.Errorf("%s: vote %v, want yes", id, got)
	case reason != "" && (got.Vote != api.No || got.Reason == nil || *got.Reason != reason):
		t.Errorf("%s: vote %v, want no for %s", id, got, reason)
	}
}

func TestCommittedTransactionTakesItsStock(t *testing.T) {
	l := newLab(t)
	call[api.Stock](t, l, "PUT", "/v1/stock/tea", `{"onHand": 4}`, http.StatusOK)
	for range 2 {
		prepare(t, l, "shop:1", "1", "")
	}
	prepare(t, l, "2", "2", "stock_insufficient")
	prepare(t, l, "3", "1", "reservation_promised")
	refused(t, l, "PUT", "/v1/reservations/1", threeTeas, http.StatusConflict, "reservation_promised")
	if got, want := stock(t, l, "tea"), (api.Stock{ProductID: "tea", OnHand: 4, Reserved: 3, Available: 1}); got != want {
		t.Errorf("promised: %v, want %v", got, want)
	}
	for range 2 {
		call[any](t, l, "PUT", "/v1/transactions/shop:1/commit", "", http.StatusNoContent)
	}
	prepare(t, l, "shop:1", "1", "")
	refused(t, l, "PUT", "/v1/transactions/shop:1/abort", "", http.StatusConflict, "transaction_committed")
	prepare(t, l, "4", "1", "reservation_taken")
	if got, want := stock(t, l, "tea"), (api.Stock{ProductID: "tea", OnHand: 1, Available: 1}); got != want {
		t.Errorf("committed: %v, want %v", got, want)
	}
}

func TestAbortedTransactionLeavesNothing(t *testing.T) {
	l := newLab(t)
	call[api.Stock](t, l, "PUT", "/v1/stock/tea", `{"onHand": 4}`, http.StatusOK)
	prepare(t, l, "1", "1", "")
	for _, id := range []string{"1", "2"} { // 2 was never prepared
		for range 2 {
			call[any](t, l, "PUT", "/v1/transactions/"+id+"/abort", "", http.StatusNoContent)
		}
		prepare(t, l, id, "1", "transaction_aborted")
		refused(t, l, "PUT", "/v1/transactions/"+id+"/commit", "", http.StatusConflict, "transaction_aborted")
	}
	refused(t, l, "PUT", "/v1/transactions/3/commit", "", http.StatusConflict, "transaction_unknown")
	if got, want := stock(t, l, "tea"), (api.Stock{ProductID: "tea", OnHand: 4, Available: 4}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	prepare(t, l, "3", "1", "") // another transaction of the order
}

func TestTheEndOfAnOrderMayComeBeforeTheSecondPhase(t *testing.T) {
	for m, test := range map[domain.Message]struct {
		phase string
		want  api.Stock
	}{
		domain.Complete: {"commit", api.Stock{ProductID: "tea", OnHand: 1, Available: 1}},
		domain.Cancel:   {"abort", api.Stock{ProductID: "tea", OnHand: 4, Available: 4}},
	} {
		l := newLab(t)
		call[api.Stock](t, l, "PUT", "/v1/stock/tea", `{"onHand": 4}`, http.StatusOK)
		prepare(t, l, "1", "1", "")
		if _, _, err := l.store.Handle(t.Context(), "1", m); err != nil {
			t.Fatal(err)
		}
		call[any](t, l, "PUT", "/v1/transactions/1/"+test.phase, "", http.StatusNoContent)
		if got := stock(t, l, "tea"); got != test.want {
			t.Errorf("%s, then %s: %v, want %v", m, test.phase, got, test.want)
		}
	}
}

func TestTransactionsNameThatCannotBeKeptIsTheClientsFault(t *testing.T) {
	l := newLab(t)
	refused(t, l, "PUT", "/v1/transactions/"+strings.Repeat("%C3%A9", 64)+"/abort", "", http.StatusBadRequest, "invalid_parameters")
}

package http

import (
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

const transaction = `{"orderId": "1", "customerId": "ada", "paymentMethod": "invoice", "total": {"amount": "12.50", "currency": "EUR"},
	"items": [{"productId": "tea", "quantity": 2}]}`

// prepare asks for a vote on the transaction of order 1 and expects it; an empty reason expects yes.
func prepare(t *testing.T, l lab, id, reason string) {
	t.Helper()
	got := call[api.Vote](t, l, "PUT", "/v1/transactions/"+id, transaction, http.StatusOK)
	switch {
	case reason == "" && (got.Vote != api.Yes || got.Reason != nil):
		t.Errorf("%s: vote %v, want yes", id, got)
	case reason != "" && (got.Vote != api.No || got.Reason == nil || *got.Reason != reason):
		t.Errorf("%s: vote %v, want no for %s", id, got, reason)
	}
}

func TestCommittedTransactionArrangesItsShipment(t *testing.T) {
	l := newLab(t)
	for range 2 {
		prepare(t, l, "shop:1", "")
	}
	prepare(t, l, "2", "shipment_promised")
	refused(t, l, "PUT", "/v1/shipments/1", twoTeas, http.StatusConflict, "shipment_promised")
	refused(t, l, "GET", "/v1/shipments/1", "", http.StatusNotFound, "shipment_not_found")
	for range 2 {
		call[any](t, l, "PUT", "/v1/transactions/shop:1/commit", "", http.StatusNoContent)
	}
	prepare(t, l, "shop:1", "")
	prepare(t, l, "3", "shipment_exists")
	refused(t, l, "PUT", "/v1/transactions/shop:1/abort", "", http.StatusConflict, "transaction_committed")
	got := call[api.Shipment](t, l, "GET", "/v1/shipments/1", "", http.StatusOK)
	if got.Status != api.Arranged || got.CustomerID != "ada" || len(got.Items) != 1 || got.Items[0] != (api.Line{ProductID: "tea", Quantity: 2}) {
		t.Errorf("%v", got)
	}
}

func TestAbortedTransactionLeavesNothing(t *testing.T) {
	l := newLab(t)
	prepare(t, l, "1", "")
	for _, id := range []string{"1", "2"} { // 2 was never prepared
		for range 2 {
			call[any](t, l, "PUT", "/v1/transactions/"+id+"/abort", "", http.StatusNoContent)
		}
		prepare(t, l, id, "transaction_aborted")
		refused(t, l, "PUT", "/v1/transactions/"+id+"/commit", "", http.StatusConflict, "transaction_aborted")
	}
	refused(t, l, "PUT", "/v1/transactions/3/commit", "", http.StatusConflict, "transaction_unknown")
	refused(t, l, "GET", "/v1/shipments/1", "", http.StatusNotFound, "shipment_not_found")
	prepare(t, l, "3", "") // another transaction of the order
}

func TestTheEndOfAnOrderMayComeBeforeTheSecondPhase(t *testing.T) {
	for m, test := range map[domain.Message]struct {
		phase string
		want  api.ShipmentStatus
	}{
		domain.Complete: {"commit", api.Arranged},
		domain.Cancel:   {"abort", api.Cancelled},
	} {
		l := newLab(t)
		prepare(t, l, "1", "")
		if _, _, err := l.store.Handle(t.Context(), "1", m, domain.Parcel{}); err != nil {
			t.Fatal(err)
		}
		call[any](t, l, "PUT", "/v1/transactions/1/"+test.phase, "", http.StatusNoContent)
		if got := call[api.Shipment](t, l, "GET", "/v1/shipments/1", "", http.StatusOK); got.Status != test.want {
			t.Errorf("%s, then %s: %v, want %v", m, test.phase, got, test.want)
		}
	}
}

func TestTransactionsNameThatCannotBeKeptIsTheClientsFault(t *testing.T) {
	l := newLab(t)
	refused(t, l, "PUT", "/v1/transactions/"+strings.Repeat("%C3%A9", 64)+"/abort", "", http.StatusBadRequest, "invalid_parameters")
}

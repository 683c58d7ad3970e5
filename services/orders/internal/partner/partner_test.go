package partner

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/contracts/money"
	inventoryapi "github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
	shippingapi "github.com/trellis-mesh/trellis/services/shipping/api"
)

// answering is a partner's server that gives one answer to every request, and tells what it was asked.
type answering struct {
	status int
	body   string
	asked  []string
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.asked = append(a.asked, r.Method+" "+r.URL.Path, string(body))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// partners are the three, all at one server.
func partners(t *testing.T, server http.Handler) map[string]app.Partner {
	t.Helper()
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	inventory, err := inventoryapi.NewClientWithResponses(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	payments, err := paymentsapi.NewClientWithResponses(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	shipping, err := shippingapi.NewClientWithResponses(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]app.Partner{"inventory": Inventory{inventory}, "payments": Payments{payments}, "shipping": Shipping{shipping}}
}

func order(t *testing.T) domain.Snapshot {
	t.Helper()
	price, err := money.New("12.50", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return domain.Snapshot{
		ID: "o1", Customer: domain.Customer{ID: "ada"}, Items: []domain.Item{{ProductID: "tea", Quantity: 2}}, Total: price,
		Payment: domain.Payment{Method: "m1", Amount: price}, Shipping: domain.Shipping{Address: "Main Street 1"},
	}
}

func TestPartnersAreAskedInTheirTerms(t *testing.T) {
	const transaction = `{"customerId":"ada","items":[{"productId":"tea","quantity":2}],"orderId":"o1","paymentMethod":"m1",` +
		`"total":{"amount":"12.50","currency":"EUR"}}`
	for partner, want := range map[string][]string{
		"inventory": {
			"PUT /v1/reservations/o1", `{"items":[{"productId":"tea","quantity":2}]}`,
			"DELETE /v1/reservations/o1", "",
			"PUT /v1/transactions/o1", transaction, "PUT /v1/transactions/o1/commit", "", "PUT /v1/transactions/o1/abort", "",
		},
		"payments": {
			"PUT /v1/payments/o1", `{"amount":{"amount":"12.50","currency":"EUR"},"customerId":"ada","method":"m1"}`,
			"PUT /v1/payments/o1/refund", "",
			"PUT /v1/transactions/o1", transaction, "PUT /v1/transactions/o1/commit", "", "PUT /v1/transactions/o1/abort", "",
		},
		"shipping": {
			"PUT /v1/shipments/o1", `{"address":"Main Street 1","customerId":"ada","items":[{"productId":"tea","quantity":2}]}`,
			"DELETE /v1/shipments/o1", "",
			"PUT /v1/transactions/o1", transaction, "PUT /v1/transactions/o1/commit", "", "PUT /v1/transactions/o1/abort", "",
		},
	} {
		t.Run(partner, func(t *testing.T) {
			server := &answering{status: 200, body: `{"vote": "yes"}`}
			if partner == "payments" {
				server.body = `{"status": "succeeded", "vote": "yes"}`
			}
			p, ctx := partners(t, server)[partner], t.Context()
			err := errors.Join(p.Do(ctx, order(t)), p.Undo(ctx, "o1"), p.Prepare(ctx, order(t)))
			server.status, server.body = 204, ""
			if err = errors.Join(err, p.Commit(ctx, "o1"), p.Abort(ctx, "o1")); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(want, server.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnswersAreYesNoOrUnknown tells apart what settles an order from what has to be asked again.
func TestAnswersAreYesNoOrUnknown(t *testing.T) {
	do := func(ctx context.Context, p app.Partner) error { return p.Do(ctx, order(t)) }
	undo := func(ctx context.Context, p app.Partner) error { return p.Undo(ctx, "o1") }
	prepare := func(ctx context.Context, p app.Partner) error { return p.Prepare(ctx, order(t)) }
	commit := func(ctx context.Context, p app.Partner) error { return p.Commit(ctx, "o1") }
	abort := func(ctx context.Context, p app.Partner) error { return p.Abort(ctx, "o1") }
	type answer struct {
		partner string
		call    func(context.Context, app.Partner) error
		status  int
		body    string
		want    string // "yes", "unknown", or the reason of a no
	}
	tests := []answer{
		{"inventory", do, 200, `{}`, "yes"},
		{"inventory", do, 409, `{"code": "stock_insufficient"}`, "stock_insufficient"},
		{"inventory", do, 422, `{"code": "lines_invalid"}`, "lines_invalid"},
		{"inventory", do, 409, `{}`, "refused"},
		{"inventory", do, 409, `<html>`, "unknown"},
		{"inventory", do, 404, `{"code": "not_found"}`, "unknown"},
		{"inventory", do, 503, `{"code": "overloaded"}`, "unknown"},
		{"inventory", undo, 204, ``, "yes"},
		{"inventory", undo, 409, `{"code": "reservation_taken"}`, "reservation_taken"},
		{"inventory", undo, 500, `{}`, "unknown"},
		{"payments", do, 200, `{"status": "succeeded"}`, "yes"},
		{"payments", do, 200, `{"status": "pending"}`, "unknown"},
		{"payments", do, 200, `{"status": "failed", "reason": "the card was declined"}`, "the card was declined"},
		{"payments", do, 200, `{"status": "failed"}`, "payment_failed"},
		{"payments", do, 200, `{"status": "refunded"}`, "payment_refunded"},
		{"payments", do, 200, `{"status": "refunding"}`, "payment_refunded"},
		{"payments", do, 200, `{"status": "lent"}`, "unknown"},
		{"payments", do, 422, `{"code": "payment_method_not_found"}`, "payment_method_not_found"},
		{"payments", do, 429, `{"code": "overloaded"}`, "unknown"},
		{"payments", undo, 200, `{"status": "refunded"}`, "yes"},
		{"payments", undo, 200, `{"status": "pending"}`, "yes"},
		{"payments", undo, 409, `{"code": "payment_promised"}`, "payment_promised"},
		{"payments", undo, 502, ``, "unknown"},
		{"shipping", do, 200, `{}`, "yes"},
		{"shipping", do, 409, `{"code": "shipment_cancelled"}`, "shipment_cancelled"},
		{"shipping", do, 504, ``, "unknown"},
		{"shipping", undo, 204, ``, "yes"},
		{"shipping", undo, 409, `{"code": "shipment_confirmed"}`, "shipment_confirmed"},
	}
	for _, partner := range []string{"inventory", "payments", "shipping"} {
		tests = append(tests, []answer{
			{partner, prepare, 200, `{"vote": "yes"}`, "yes"},
			{partner, prepare, 200, `{"vote": "no", "reason": "stock_insufficient"}`, "stock_insufficient"},
			{partner, prepare, 200, `{"vote": "no"}`, "refused"},
			{partner, prepare, 200, `{}`, "unknown"},
			{partner, prepare, 200, `{"vote": "perhaps"}`, "unknown"},
			{partner, prepare, 422, `{"code": "transaction_differs"}`, "transaction_differs"},
			{partner, prepare, 503, `{}`, "unknown"},
			{partner, commit, 204, ``, "yes"},
			{partner, commit, 409, `{"code": "transaction_aborted"}`, "transaction_aborted"},
			{partner, commit, 500, ``, "unknown"},
			{partner, abort, 204, ``, "yes"},
			{partner, abort, 502, ``, "unknown"},
		}...)
	}
	for _, test := range tests {
		err := test.call(t.Context(), partners(t, &answering{status: test.status, body: test.body})[test.partner])
		if got := meaning(err); got != test.want {
			t.Errorf("%s %d %s: %s, want %s", test.partner, test.status, test.body, got, test.want)
		}
	}
}

// TestAnInvoiceIsChargedUnderTheReferenceOfItsAttempt asks payments as for an order of its own: that one's id is that of the invoice.
func TestAnInvoiceIsChargedUnderTheReferenceOfItsAttempt(t *testing.T) {
	server := &answering{status: 200, body: `{"status": "succeeded"}`}
	till, ok := partners(t, server)["payments"].(app.Till)
	if !ok {
		t.Fatal("payments is no till")
	}
	if err := errors.Join(till.Charge(t.Context(), "o1.2", "m7", order(t)), till.Refund(t.Context(), "o1.2")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"PUT /v1/payments/o1.2", `{"amount":{"amount":"12.50","currency":"EUR"},"customerId":"ada","method":"m7"}`,
		"PUT /v1/payments/o1.2/refund", "",
	}
	if diff := gocmp.Diff(want, server.asked); diff != "" {
		t.Error(diff)
	}
}

func TestAPartnerThatIsAwayIsUnknown(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client, err := inventoryapi.NewClientWithResponses(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{Inventory{client}.Do(t.Context(), order(t)), Inventory{client}.Undo(t.Context(), "o1")} {
		if meaning(err) != "unknown" {
			t.Errorf("%v", err)
		}
	}
}

func meaning(err error) string {
	var no *app.Refusal
	switch {
	case err == nil:
		return "yes"
	case errors.As(err, &no):
		return no.Reason
	}
	return "unknown"
}

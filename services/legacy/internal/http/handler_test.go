package http_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/legacytest"
)

// call sends a request and gives the answer, after it has checked the status.
func call(t *testing.T, h http.Handler, method, path, body string, status int) api.GatewayAnswer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, w.Code, status, w.Body)
	}
	var answer api.GatewayAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return answer
}

func payment(reference, number, amount string) string {
	return `{"reference": "` + reference + `", "card_number": "` + number + `", "expiry_month": 12, "expiry_year": 2099, "cvv": "123",
		"amount_cents": ` + amount + `, "currency_code": "EUR"}`
}

func TestAReferenceIsChargedOnce(t *testing.T) {
	g := legacytest.New(t)
	paid := call(t, g, "POST", "/gateway/payments", payment("r", "4111111111111111", "1250"), 200)
	if paid.StatusCode != http.StatusOK || paid.AmountCharged != 1250 || paid.TransactionID == "" {
		t.Errorf("paid %+v", paid)
	}
	if again := call(t, g, "POST", "/gateway/payments", payment("r", "4111111111111111", "1250"), 409); again.AmountCharged != 0 {
		t.Errorf("again %+v", again)
	}
	if found := call(t, g, "GET", "/gateway/payments/r", "", 200); found != paid {
		t.Errorf("found %+v, paid %+v", found, paid)
	}
	if charged := g.Charged(t); len(charged) != 1 || charged["r"] != 1250 {
		t.Errorf("charged %v", charged)
	}
}

func TestCardsThatDoNotPay(t *testing.T) {
	g := legacytest.New(t)
	for number, status := range map[string]int{"4000000000000002": 400, "4000000000000119": 500} {
		told := call(t, g, "POST", "/gateway/payments", payment(number, number, "1250"), status)
		if told.StatusCode != status || told.AmountCharged != 0 {
			t.Errorf("told %+v", told)
		}
		if found := call(t, g, "GET", "/gateway/payments/"+number, "", 200); found != told {
			t.Errorf("found %+v, told %+v", found, told)
		}
	}
	if charged := g.Charged(t); len(charged) != 0 {
		t.Errorf("charged %v", charged)
	}
}

func TestALostAnswerCanBeLookedUp(t *testing.T) {
	g := legacytest.New(t)
	server := httptest.NewServer(g)
	defer server.Close()
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/gateway/payments",
			strings.NewReader(payment("r", "4000000000000259", "1250")))
		if err != nil {
			gone <- err
			return
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := server.Client().Do(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		gone <- err
	}()
	for len(g.Charged(t)) == 0 {
		select {
		case err := <-gone:
			t.Fatalf("it was answered before it was charged: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	hangUp()
	if err := <-gone; err == nil {
		t.Error("it was answered")
	}
	if found := call(t, g, "GET", "/gateway/payments/r", "", 200); found.StatusCode != http.StatusOK || found.AmountCharged != 1250 {
		t.Errorf("found %+v", found)
	}
}

func TestACardOnFileBehavesAsTheCard(t *testing.T) {
	g := legacytest.New(t)
	for number, status := range map[string]int{"4111111111111111": 200, "4000000000000341": 400, "4000000000000119": 500} {
		taken := call(t, g, "POST", "/gateway/payments", payment("take"+number, number, "0"), 200)
		for reference, amount := range map[string]string{"verify": "0", "charge": "100"} {
			body := `{"reference": "` + reference + number + `", "original_transaction_id": "` + taken.TransactionID +
				`", "amount_cents": ` + amount + `, "currency_code": "EUR"}`
			call(t, g, "POST", "/gateway/payments", body, status)
		}
	}
	call(t, g, "POST", "/gateway/payments", payment("take", "4000000000000002", "0"), 400)
	call(t, g, "POST", "/gateway/payments",
		`{"reference": "x", "original_transaction_id": "unknown", "amount_cents": 1, "currency_code": "EUR"}`, 400)
}

func TestRefund(t *testing.T) {
	g := legacytest.New(t)
	call(t, g, "POST", "/gateway/payments", payment("paid", "4111111111111111", "1250"), 200)
	call(t, g, "POST", "/gateway/payments", payment("declined", "4000000000000002", "1250"), 400)
	for range 2 {
		if told := call(t, g, "PUT", "/gateway/payments/paid/refund", "", 200); told.StatusCode != http.StatusOK || told.AmountCharged != 0 {
			t.Errorf("refunded %+v", told)
		}
		if told := call(t, g, "PUT", "/gateway/payments/declined/refund", "", 200); told.StatusCode != http.StatusBadRequest {
			t.Errorf("refunded %+v", told)
		}
		call(t, g, "PUT", "/gateway/payments/early/refund", "", 404)
	}
	if told := call(t, g, "GET", "/gateway/payments/early", "", 200); told.StatusCode != http.StatusBadRequest {
		t.Errorf("a payment refunded too early is told to be %+v", told) // a 404 would ask to send it
	}
	call(t, g, "POST", "/gateway/payments", payment("early", "4111111111111111", "1250"), 409)
	if charged := g.Charged(t); len(charged) != 0 {
		t.Errorf("charged %v", charged)
	}
}

func TestLookupOfAnUnknownReference(t *testing.T) {
	if told := call(t, legacytest.New(t), "GET", "/gateway/payments/r", "", 404); told.StatusCode != http.StatusNotFound {
		t.Errorf("told %+v", told)
	}
}

func TestNoCardIsKept(t *testing.T) {
	g := legacytest.New(t)
	call(t, g, "POST", "/gateway/payments", payment("r", "4111111111111111", "1250"), 200)
	var rows []map[string]any
	if err := g.DB.NewSelect().Table("payments").Scan(t.Context(), &rows); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"1111"`) || strings.Contains(string(text), "411111111111") || strings.Contains(string(text), `"123"`) {
		t.Errorf("kept %s", text)
	}
}

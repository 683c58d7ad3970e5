package http

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/legacytest"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/app"
	"github.com/trellis-mesh/trellis/services/payments/internal/gateway"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
	"github.com/trellis-mesh/trellis/services/payments/migrations"
)

// buffer is a log that may be written and read at once.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// service is the API as the service has it, contract validation included, before the real gateway over the network.
type service struct {
	http.Handler
	tel      *telemetry.Telemetry
	log      buffer
	db       *database.DB
	legacy   *legacytest.Gateway
	network  *httptest.Server
	payments *app.Payments
	key      string // of the next cards
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{legacy: legacytest.New(t), db: databasetest.New(t, migrations.FS)}
	if err := database.Migrate(t.Context(), s.db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.tel, err = telemetry.New(t.Context(), telemetry.Options{Service: "payments", Output: &s.log, Level: slog.LevelDebug}); err != nil {
		t.Fatal(err)
	}
	box, err := outbox.New(s.db, &eventtest.Recorder{}, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.network = httptest.NewServer(s.legacy)
	t.Cleanup(s.network.Close)
	client, err := httpclient.New(httpclient.Options{ // as service.yaml declares it
		Name: "legacy", URL: s.network.URL, Timeout: 3 * time.Second, Attempts: 2, PerTry: 1500 * time.Millisecond, Concurrency: 5,
		Registerer: s.tel.Registry, Log: s.tel.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.HTTP.CloseIdleConnections)
	legacy, err := legacyapi.NewClientWithResponses(client.URL, legacyapi.WithHTTPClient(client.HTTP))
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: s.tel})
	if err != nil {
		t.Fatal(err)
	}
	s.payments = app.New(store.New(s.db, box), gateway.New(legacy), s.tel.Log, nil)
	if err := database.Migrate(t.Context(), s.db, idempotency.Migrations()); err != nil {
		t.Fatal(err)
	}
	keys, err := idempotency.New(s.db, idempotency.Options{Optional: []string{"createPaymentMethod"}})
	if err != nil {
		t.Fatal(err)
	}
	server.Router().Use(keys.Middleware)
	api.Register(server.Router(), New(s.payments))
	s.Handler = server.Handler()
	return s
}

// call sends a request and reads the JSON answer into out, after it has checked the status. It gives the answer's header.
func (s *service) call(t *testing.T, method, path, body string, status int, out any) http.Header {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if s.key != "" {
		r.Header.Set("Idempotency-Key", s.key)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, w.Code, status, w.Body)
	}
	if status == http.StatusNoContent {
		return w.Header()
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return w.Header()
}

func (s *service) refused(t *testing.T, method, path, body string, status int, code string) http.Header {
	t.Helper()
	var got problem.Problem
	header := s.call(t, method, path, body, status, &got)
	if got.Code != code {
		t.Errorf("%s %s: code %q, want %q", method, path, got.Code, code)
	}
	return header
}

func newCard(number string) string {
	return `{"customerId": "ada", "card": {"number": "` + number + `", "expiryMonth": 12, "expiryYear": 2099, "cvv": "987"}}`
}

func (s *service) card(t *testing.T, number string) string {
	t.Helper()
	var method api.PaymentMethod
	s.call(t, "POST", "/v1/payment-methods", newCard(number), http.StatusCreated, &method)
	return method.ID
}

func newPayment(method, amount string) string {
	return `{"customerId": "ada", "amount": {"amount": "` + amount + `", "currency": "EUR"}, "method": "` + method + `"}`
}

const pays = "4111111111111111"

func TestChargeAndRefund(t *testing.T) {
	s := newService(t)
	var method api.PaymentMethod
	s.call(t, "POST", "/v1/payment-methods", newCard(pays), http.StatusCreated, &method)
	if method.ID == "" || method.CustomerID != "ada" || method.Brand != "visa" || method.Last4 != "1111" {
		t.Errorf("method %+v", method)
	}
	var paid, got api.Payment
	s.call(t, "PUT", "/v1/payments/o", newPayment(method.ID, "12.50"), http.StatusOK, &paid)
	if paid.Status != "succeeded" || paid.TransactionID == nil || paid.Degraded != nil || paid.Amount != (api.Money{Amount: "12.50", Currency: "EUR"}) {
		t.Errorf("paid %+v", paid)
	}
	s.call(t, "GET", "/v1/payments/o", "", http.StatusOK, &got)
	if got.ID != paid.ID || !got.CreatedAt.Equal(paid.CreatedAt) || got.OrderID != "o" {
		t.Errorf("got %+v", got)
	}
	var list api.PaymentList
	s.call(t, "GET", "/v1/payments?customerId=ada", "", http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].ID != paid.ID {
		t.Errorf("list %+v", list)
	}
	s.refused(t, "PUT", "/v1/payments/o", newPayment(method.ID, "12.51"), http.StatusConflict, "payment_differs")
	var refund api.Refund
	for range 2 {
		if s.call(t, "PUT", "/v1/payments/o/refund", "", http.StatusOK, &refund); refund.Status != "refunded" || refund.OrderID != "o" {
			t.Errorf("refund %+v", refund)
		}
	}
	if s.call(t, "PUT", "/v1/payments/unknown/refund", "", http.StatusOK, &refund); refund.Status != "nothing" {
		t.Errorf("refund %+v", refund)
	}
	for _, id := range []string{"o", "unknown"} {
		s.refused(t, "PUT", "/v1/payments/"+id, newPayment(method.ID, "12.50"), http.StatusConflict, "payment_refunded")
	}
	if charged := s.legacy.Charged(t); len(charged) > 0 {
		t.Errorf("charged %v", charged)
	}
}

func TestARepeatedRegistrationGivesTheSameMethod(t *testing.T) {
	s := newService(t)
	s.key = "attempt-1"
	first := s.card(t, pays)
	if again := s.card(t, pays); again != first {
		t.Errorf("methods %s and %s", first, again)
	}
	s.refused(t, "POST", "/v1/payment-methods", newCard("5555555555554444"), http.StatusUnprocessableEntity, "idempotency_key_reused")
	s.key = "attempt-2"
	if other := s.card(t, pays); other == first {
		t.Error("another attempt gives the same method")
	}
}

func TestRefusals(t *testing.T) {
	s := newService(t)
	s.refused(t, "GET", "/v1/payments/unknown", "", http.StatusNotFound, "payment_not_found")
	s.refused(t, "PUT", "/v1/payments/o", newPayment("unknown", "1"), http.StatusUnprocessableEntity, "payment_method_not_found")
	s.refused(t, "PUT", "/v1/payments/o", newPayment("invoice", "1.005"), http.StatusUnprocessableEntity, "amount_invalid")
	s.refused(t, "POST", "/v1/payment-methods", newCard("4111111111111112"), http.StatusUnprocessableEntity, "card_refused")
	s.refused(t, "POST", "/v1/payment-methods", newCard("4000000000000002"), http.StatusUnprocessableEntity, "card_refused")
	s.refused(t, "PUT", "/v1/transactions/x/commit", "", http.StatusConflict, "transaction_unknown")
	var declined api.Payment
	s.call(t, "PUT", "/v1/payments/o", newPayment(s.card(t, "4000000000000341"), "1"), http.StatusOK, &declined)
	if declined.Status != "failed" || declined.Reason == nil || *declined.Reason != "the card was declined" {
		t.Errorf("declined %+v", declined)
	}
}

func transaction(method string) string {
	return `{"orderId": "o", "customerId": "ada", "items": [{"productId": "tea", "quantity": 1}],
		"total": {"amount": "12.50", "currency": "EUR"}, "paymentMethod": "` + method + `"}`
}

func TestTransaction(t *testing.T) {
	s := newService(t)
	var vote api.Vote
	if s.call(t, "PUT", "/v1/transactions/no", transaction("unknown"), http.StatusOK, &vote); vote.Vote != "no" || vote.Reason == nil {
		t.Errorf("vote %+v", vote)
	}
	vote = api.Vote{}
	if s.call(t, "PUT", "/v1/transactions/x", transaction(s.card(t, pays)), http.StatusOK, &vote); vote.Vote != "yes" || vote.Reason != nil {
		t.Errorf("vote %+v", vote)
	}
	var promised api.Payment
	if s.call(t, "GET", "/v1/payments/o", "", http.StatusOK, &promised); promised.Status != "pending" || promised.Degraded != nil {
		t.Errorf("promised %+v", promised)
	}
	s.refused(t, "PUT", "/v1/payments/o/refund", "", http.StatusConflict, "payment_promised")
	for range 2 {
		s.call(t, "PUT", "/v1/transactions/x/commit", "", http.StatusNoContent, nil)
		s.call(t, "PUT", "/v1/transactions/no/abort", "", http.StatusNoContent, nil)
	}
	s.refused(t, "PUT", "/v1/transactions/x/abort", "", http.StatusConflict, "transaction_committed")
	s.refused(t, "PUT", "/v1/transactions/no/commit", "", http.StatusConflict, "transaction_aborted")
	if charged := s.legacy.Charged(t); len(charged) != 1 || charged[promised.ID] != 1250 {
		t.Errorf("charged %v", charged)
	}
}

func TestAHungGatewayDoesNotHoldUpTheAnswer(t *testing.T) {
	s := newService(t)
	card := s.card(t, "4000000000000259") // it charges, and its answer never comes
	begun := time.Now()
	var paid api.Payment
	s.call(t, "PUT", "/v1/payments/o", newPayment(card, "12.50"), http.StatusOK, &paid)
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	// The lookup that follows the timeout finds it, or the next one does.
	s.call(t, "GET", "/v1/payments/o", "", http.StatusOK, &paid)
	if paid.Status != "succeeded" || len(s.legacy.Charged(t)) != 1 {
		t.Errorf("paid %+v, charged %v", paid, s.legacy.Charged(t))
	}
}

func TestAnswersAreMarkedWhileTheGatewayIsAway(t *testing.T) {
	s := newService(t)
	card := s.card(t, pays)
	s.network.Close()
	isDegraded := func(what string, p api.Payment) {
		t.Helper()
		if p.Status != "pending" || p.Degraded == nil || !*p.Degraded {
			t.Errorf("%s: %+v", what, p)
		}
	}
	var charged, got api.Payment
	var list api.PaymentList
	begun := time.Now()
	s.call(t, "PUT", "/v1/payments/o", newPayment(card, "12.50"), http.StatusOK, &charged)
	isDegraded("charge", charged)
	s.call(t, "GET", "/v1/payments/o", "", http.StatusOK, &got)
	isDegraded("get", got)
	s.call(t, "GET", "/v1/payments?customerId=ada", "", http.StatusOK, &list)
	isDegraded("list", list.Items[0])
	if took := time.Since(begun); took > 6*time.Second {
		t.Errorf("three answers took %v", took)
	}
	var refund api.Refund
	if s.call(t, "PUT", "/v1/payments/o/refund", "", http.StatusOK, &refund); refund.Status != "pending" {
		t.Errorf("refund %+v", refund)
	}
	header := s.refused(t, "POST", "/v1/payment-methods", newCard(pays), http.StatusServiceUnavailable, "gateway_unavailable")
	if again := header.Get("Retry-After"); again != "1" { // so that whoever can wait does
		t.Errorf("Retry-After: %q", again)
	}
}

// With the breaker open nobody waits for the gateway at all; it is the same answer, at once.
func TestTheBreakerOpensAndTheAnswerStays(t *testing.T) {
	s := newService(t)
	card := s.card(t, pays)
	s.network.Close()
	var charged api.Payment
	s.call(t, "PUT", "/v1/payments/o", newPayment(card, "12.50"), http.StatusOK, &charged)
	open := func() bool {
		families, err := s.tel.Registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if strings.Contains(family.GetName(), "breaker") {
				return family.GetMetric()[0].GetGauge().GetValue() == 2
			}
		}
		t.Fatal("there is no metric of the breaker")
		return false
	}
	if open() {
		t.Fatal("the breaker is open after a few failures")
	}
	for range 40 {
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() { s.call(t, "GET", "/v1/payments/o", "", http.StatusOK, &api.Payment{}) })
		}
		if group.Wait(); open() {
			break
		}
	}
	if !open() {
		t.Fatal("the breaker stays closed")
	}
	begun := time.Now()
	var got api.Payment
	s.call(t, "GET", "/v1/payments/o", "", http.StatusOK, &got)
	if took := time.Since(begun); got.Degraded == nil || took > 500*time.Millisecond {
		t.Errorf("after %v got %+v", took, got)
	}
}

func TestCardsAreNeverKeptOrLogged(t *testing.T) {
	s := newService(t)
	var problems []string
	for _, body := range []string{
		newCard(pays), newCard("4111111111111112"), newCard("4111 1111 1111 1111"), newCard(pays + "x"),
		strings.Replace(newCard(pays), `"987"`, `"987-long"`, 1), strings.Replace(newCard(pays), "12", "13", 1),
		`{"card": ` + pays + `}`, newCard(pays)[:60],
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/payment-methods", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		problems = append(problems, w.Body.String())
	}
	s.key = "attempt-1"
	card := s.card(t, pays)
	s.key = ""
	s.call(t, "PUT", "/v1/payments/o", newPayment(card, "12.50"), http.StatusOK, &api.Payment{})
	s.network.Close()
	s.refused(t, "POST", "/v1/payment-methods", newCard(pays), http.StatusServiceUnavailable, "gateway_unavailable")
	if err := s.tel.FlushLog(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{"the log": s.log.String(), "the answers": strings.Join(problems, "\n")}
	for name, db := range map[string]*database.DB{"payments": s.db, "legacy": s.legacy.DB} {
		seen["the database of "+name] = dump(t, db)
	}
	for where, text := range seen {
		if len(text) < 100 {
			t.Errorf("%s holds only %q", where, text)
		}
		for _, secret := range []string{"41111111", "1111 1111", `"987"`, `\"987\"`, "98765"} { // quoted, since some time has such digits
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s: %s", where, secret, text)
			}
		}
	}
}

// dump is every row of every table.
func dump(t *testing.T, db *database.DB) string {
	t.Helper()
	var tables []string
	if err := db.NewSelect().Table("sqlite_master").Column("name").Where("type = 'table'").Scan(t.Context(), &tables); err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, table := range tables {
		var rows []map[string]any
		if err := db.NewSelect().Table(table).Scan(t.Context(), &rows); err != nil {
			t.Fatal(err)
		}
		all[table] = rows
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

//go:build real

package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"

	"github.com/trellis-mesh/trellis/test/market"
	"github.com/trellis-mesh/trellis/test/play/game"
)

// party is who shops, and for what.
type party struct {
	game     game.Game
	people   []market.Person
	products []string
	soldOut  int // one of the products
}

// ways are those to fulfil orders; each is the way of a third of the people.
var ways = []string{"choreography", "orchestration", "two-phase"}

// invite fills the shop, and has the orders of each third of the people fulfilled in another way.
func (w *watched) invite(t *testing.T) *party {
	t.Helper()
	p := &party{game: game.Game{
		Seed: 1, People: 9, Products: 30, Rate: 12, Settle: time.Minute,
		Rates: game.Rates{Orders: 0.8, Declined: 0.2, Invoice: 0.2, SoldOut: 0.2},
	}}
	plan := market.Plan{Seed: p.game.Seed, Products: p.game.Products, Users: p.game.People, People: "play"}
	for i := range p.game.Products {
		if plan.SoldOut(i) {
			p.soldOut = i
		}
	}
	filled, err := market.Fill(t.Context(), w.shop, plan, market.Options{Parallel: 4, Settle: -1})
	if err != nil {
		t.Fatal(err)
	}
	if filled.Failed() > 0 {
		t.Fatalf("fill the shop: %+v", filled.Report)
	}
	p.people, p.products = filled.People, filled.Products
	chosen := map[string]string{}
	for i, person := range p.people {
		chosen[person.ID] = ways[i%len(ways)]
	}
	w.fulfil(t, chosen)
	if err := w.Restart(t.Context(), "orders"); err != nil { // so that it has read the flags for certain
		t.Fatal(err)
	}
	return p
}

// play has the people shop for a while with a fault in every service, unless it is "", and does meanwhile what they do not.
func (w *watched) play(t *testing.T, p *party, lasting time.Duration, fault string) {
	t.Helper()
	p.game.For = lasting
	run, err := game.Prepare(t.Context(), w.shop, p.game)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range w.model.Services {
		w.fault(t, s.Name, fault)
	}
	ctx, stop := context.WithCancel(t.Context())
	aside := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			err = w.errands(t.Context(), p)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second): // so that it is no load
			}
		}
		aside <- err
	}()
	run.Play(t.Context(), nil)
	stop()
	if err := <-aside; err != nil {
		t.Error(err)
	}
	for _, s := range w.model.Services {
		w.fault(t, s.Name, "")
	}
}

// errand is a request that nobody in the play makes.
type errand struct {
	method, service, path, body string
	header                      http.Header
}

// errands sends a request to each operation that nobody in the play calls. Answers below 500 are good enough.
func (w *watched) errands(ctx context.Context, p *party) error {
	account, err := w.make(ctx, errand{method: "POST", service: "ledger", path: "/v1/accounts", body: `{"owner":"Ada","opening":` + euros("5.00") + `}`})
	if err != nil {
		return err
	}
	upload, err := w.make(ctx, errand{method: "POST", service: "catalog", path: "/v1/imports"})
	if err != nil {
		return err
	}
	file := "sku,name,description,price,currency\nERRAND-1,Twine,A ball of twine.,1.50,EUR\nERRAND-2,Glue,,broken,EUR\n"
	csv := http.Header{"Content-Type": {"text/csv"}, "Upload-Offset": {"0"}, "Upload-Complete": {"?1"}}
	all := []errand{
		{method: "GET", service: "ledger", path: "/v1/accounts/" + account},
		{method: "POST", service: "ledger", path: "/v1/accounts/" + account + "/deposits", body: `{"amount":` + euros("10.00") + `}`},
		{method: "POST", service: "ledger", path: "/v1/accounts/" + account + "/withdrawals", body: `{"amount":` + euros("2.50") + `}`},
		{method: "GET", service: "ledger", path: "/v1/accounts/" + account + "/statement"},
		{method: "GET", service: "ledger", path: "/v1/balances"},
		{method: "POST", service: "news", path: "/v1/refreshes"},
		{method: "GET", service: "news", path: "/v1/articles"},
		{method: "PATCH", service: "catalog", path: "/v1/imports/" + upload, body: file, header: csv},
		{method: "GET", service: "catalog", path: "/v1/imports/" + upload},
		{method: "GET", service: "catalog", path: "/v1/products.csv"},
		{method: "GET", service: "catalog", path: "/v2/products"},
		{method: "GET", service: "shipping", path: "/v1/shipments/" + uuid.NewString()},
		{method: "GET", service: "inventory", path: "/v1/stock/" + p.products[0]},
		{method: "GET", service: "users", path: "/v1/users/" + p.people[0].ID + "/summary"},
		{method: "GET", service: "users", path: "/v1/users"},
		{method: "GET", service: "notifications", path: "/v1/messages?customerId=" + p.people[0].ID},
		{method: "GET", service: "bff-web", path: "/v1/users/" + p.people[0].ID + "/orders"},
		{method: "GET", service: "gateway", path: "/api/users/" + p.people[0].ID},
		{method: "POST", service: "gateway", path: "/api/users", body: `{"name":"Ada","email":"` + uuid.NewString() + `@play.example.com","password":"` + password + `"}`},
		{method: "GET", service: "gateway", path: "/api/suppliers"},
		{method: "GET", service: "legacy", path: "/monolith/products/" + p.products[0]},
	}
	for _, e := range all {
		if _, err := w.send(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (w *watched) send(ctx context.Context, e errand) ([]byte, error) {
	header := e.header
	if e.method == http.MethodPost {
		header = http.Header{"Idempotency-Key": {uuid.NewString()}}
	}
	status, body, err := w.call(ctx, e.method, w.Service(e.service).URL+e.path, header, e.body)
	if err != nil && strings.Contains(err.Error(), "EOF") { // a fault that refuses
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s of %s: %w", e.method, e.path, e.service, err)
	}
	if status == http.StatusNotFound && strings.Contains(string(body), "route") || status == http.StatusUnprocessableEntity || status == http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s of %s: %d %s", e.method, e.path, e.service, status, body)
	}
	return body, nil
}

// make sends a request that makes something, and gives its id.
func (w *watched) make(ctx context.Context, e errand) (string, error) {
	body, err := w.send(ctx, e)
	if err != nil {
		return "", err
	}
	var made struct{ ID string }
	_ = json.Unmarshal(body, &made) // an injected error has none
	if made.ID == "" {
		made.ID = uuid.NewString()
	}
	return made.ID, nil
}

// password is what errands log in with; the search looks for how it begins.
const password = "not a secret: play errand"

func euros(amount string) string { return `{"amount":"` + amount + `","currency":"EUR"}` }

// mishaps places orders that cannot be fulfilled, of each way: one of something that is sold out, one with a card that is refused. They
// take longer than the SLO allows, so that their traces are kept.
func (w *watched) mishaps(t *testing.T, p *party) {
	t.Helper()
	w.fault(t, "orders", slowOrder)
	defer w.fault(t, "orders", "")
	for i := range ways {
		person := p.people[i]
		for product, method := range map[string]string{p.products[p.soldOut]: "invoice", p.products[0]: w.card(t, person, market.SpentCard)} {
			w.created(t, "orders", "/v1/orders",
				fmt.Sprintf(`{"customerId":%q,"items":[{"productId":%q,"quantity":1}],"paymentMethod":%q}`, person.ID, product, method))
		}
	}
}

// refund charges for something, and gives the money back.
func (w *watched) refund(t *testing.T, person market.Person) {
	t.Helper()
	charge := w.Service("payments").URL + "/v1/payments/" + uuid.NewString()
	body := fmt.Sprintf(`{"customerId":%q,"method":%q,"amount":%s}`, person.ID, w.card(t, person, market.GoodCard), euros("5.00"))
	for _, step := range []struct{ address, body string }{{charge, body}, {charge + "/refund", ""}} {
		if status, answer, err := w.call(t.Context(), http.MethodPut, step.address, nil, step.body); err != nil || status != http.StatusOK {
			t.Fatalf("PUT %s: %d %s %v", step.address, status, answer, err)
		}
	}
}

// card registers a card, and gives the payment method that it is.
func (w *watched) card(t *testing.T, person market.Person, number string) string {
	t.Helper()
	return w.created(t, "payments", "/v1/payment-methods", fmt.Sprintf(
		`{"customerId":%q,"card":{"number":%q,"expiryMonth":12,"expiryYear":2099,"cvv":"123"}}`, person.ID, number))
}

// slowOrder is a fault with which placing an order takes longer than its SLO allows.
const slowOrder = `{"delay":"700ms","share":1,"operations":["createOrder"]}`

// created sends a request that must create something, and gives its id.
func (w *watched) created(t *testing.T, service, path, body string) string {
	t.Helper()
	status, answer, err := w.call(t.Context(), http.MethodPost, w.Service(service).URL+path, http.Header{"Idempotency-Key": {uuid.NewString()}}, body)
	var made struct{ ID string }
	if err == nil && status == http.StatusCreated {
		err = json.Unmarshal(answer, &made)
	}
	if err != nil || made.ID == "" {
		t.Fatalf("POST %s of %s: %d %s %v", path, service, status, answer, err)
	}
	return made.ID
}

// poison publishes something that is no event where one is expected, so that it is put among the dead letters.
func (w *watched) poison(t *testing.T) {
	t.Helper()
	writer := &kafka.Writer{Addr: kafka.TCP(w.Brokers()...), Topic: "user.created.v1", RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	defer func() { _ = writer.Close() }()
	if err := writer.WriteMessages(t.Context(), kafka.Message{Key: []byte("poison"), Value: []byte("no event")}); err != nil {
		t.Fatal(err)
	}
}

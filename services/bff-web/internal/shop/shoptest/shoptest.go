// Package shoptest stands in for the services that web pages are composed of, over HTTP, as well behaved or as badly as a test wants.
package shoptest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	web "github.com/trellis-mesh/trellis/services/bff-web/internal/http"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// Shop is the services, by name. A test replaces the handlers that it wants to behave in another way.
type Shop struct {
	Handlers map[string]http.HandlerFunc
	// Orders are those of everybody, the latest first.
	Orders []Order

	mu    sync.Mutex
	asked map[string][]string
}

// Order is an order with one piece each of these products.
type Order struct {
	ID, Status, Total, Currency string
	Products                    []string
}

// New makes a shop in which Ada has ordered three times, once in vain. Products are called after their ids; there is none called gone.
func New() *Shop {
	s := &Shop{
		Orders: []Order{
			{"o3", "cancelled", "99.00", "EUR", []string{"tea"}},
			{"o2", "confirmed", "0.99", "EUR", []string{"sugar"}},
			{"o1", "completed", "13.49", "EUR", []string{"tea", "sugar"}},
		},
		asked: map[string][]string{},
	}
	s.Handlers = map[string]http.HandlerFunc{"users": s.users, "orders": s.orders, "payments": s.payments, "catalog": s.catalog}
	return s
}

// Asked are the requests that a service was sent, in order.
func (s *Shop) Asked(service string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked[service])
}

// Answer writes an answer in JSON.
func Answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// Refusing answers with a status and a code.
func Refusing(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { Answer(w, status, `{"code": "`+code+`"}`) }
}

// Hung never answers.
func Hung(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func (s *Shop) users(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/v1/users/")
	Answer(w, http.StatusOK, fmt.Sprintf(`{"id": %q, "name": "Ada", "email": "ada@example.com", "avatar": "https://img.example/ada", "region": "EU", "createdAt": "2026-01-02T03:04:05Z"}`, id))
}

func (s *Shop) orders(w http.ResponseWriter, r *http.Request) {
	if id, one := strings.CutPrefix(r.URL.Path, "/v1/orders/"); one {
		i := slices.IndexFunc(s.Orders, func(o Order) bool { return o.ID == id })
		if i < 0 {
			Answer(w, http.StatusNotFound, `{"code": "order_not_found"}`)
			return
		}
		Answer(w, http.StatusOK, s.Orders[i].json())
		return
	}
	all := make([]string, len(s.Orders))
	for i, order := range s.Orders {
		all[i] = order.json()
	}
	Answer(w, http.StatusOK, `{"items": [`+strings.Join(all, ",")+`]}`)
}

func (o Order) json() string {
	items := make([]string, len(o.Products))
	for i, id := range o.Products {
		items[i] = fmt.Sprintf(`{"productId": %q, "name": "former %s", "quantity": 1, "unitPrice": {"amount": "1.00", "currency": %q}, "subtotal": {"amount": "1.00", "currency": %q}}`,
			id, id, o.Currency, o.Currency)
	}
	return fmt.Sprintf(`{"id": %q, "customer": {"id": "ada", "name": "Ada"}, "status": %q, "fulfilment": "choreography", "items": [%s],
		"total": {"amount": %q, "currency": %q}, "createdAt": "2026-01-02T03:04:05Z"}`, o.ID, o.Status, strings.Join(items, ","), o.Total, o.Currency)
}

func (s *Shop) payments(w http.ResponseWriter, _ *http.Request) {
	Answer(w, http.StatusOK, `{"items": [{"id": "p1", "orderId": "o1", "customerId": "ada", "status": "succeeded",
		"amount": {"amount": "13.49", "currency": "EUR"}, "createdAt": "2026-01-02T03:04:05Z"}]}`)
}

func (s *Shop) catalog(w http.ResponseWriter, r *http.Request) {
	var found []string
	for _, id := range IDs(r.URL.RequestURI()) {
		if id != "gone" {
			found = append(found, fmt.Sprintf(`{"id": %q, "sku": "SKU-%s", "name": %q, "description": "", "price": {"amount": "1.00", "currency": "EUR"},
				"version": 1, "createdAt": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-02T03:04:05Z"}`, id, id, id))
		}
	}
	Answer(w, http.StatusOK, `{"items": [`+strings.Join(found, ",")+`]}`)
}

// IDs are the products that a request to catalog asks for; none unless it is one for many.
func IDs(uri string) []string {
	r, err := http.NewRequest(http.MethodGet, uri, nil) //nolint:noctx // it is read and never sent
	if err != nil || r.URL.Path != "/v1/products" || r.URL.Query().Get("ids") == "" {
		return nil
	}
	return strings.Split(r.URL.Query().Get("ids"), ",")
}

// serve answers for a service, and notes what it is asked.
func (s *Shop) serve(service string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[service] = append(s.asked[service], r.URL.RequestURI())
		s.mu.Unlock()
		s.Handlers[service](w, r)
	}
}

// Network serves the shop on ports of this machine and gives clients of it.
func (s *Shop) Network(t *testing.T, options func(service string) httpclient.Options) web.Clients {
	t.Helper()
	return s.clients(t, func(service string) httpclient.Options {
		server := httptest.NewServer(s.serve(service))
		t.Cleanup(server.Close)
		o := options(service)
		o.URL = server.URL
		return o
	})
}

// Memory gives clients whose requests never leave the process, so that a test's clock may be one of its own.
func (s *Shop) Memory(t *testing.T, options func(service string) httpclient.Options) web.Clients {
	t.Helper()
	return s.clients(t, func(service string) httpclient.Options {
		o := options(service)
		o.URL, o.Transport = "http://"+service, memory(s.serve(service))
		return o
	})
}

// memory is a transport to a handler.
type memory http.HandlerFunc

// RoundTrip lets the handler answer.
func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	m(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (s *Shop) clients(t *testing.T, options func(service string) httpclient.Options) web.Clients {
	t.Helper()
	client := func(service string) *httpclient.Client {
		o := options(service)
		o.Name = service
		c, err := httpclient.New(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.HTTP.CloseIdleConnections)
		return c
	}
	users, orders, payments, catalog := client("users"), client("orders"), client("payments"), client("catalog")
	var clients web.Clients
	var err error
	if clients.Users, err = usersapi.NewClientWithResponses(users.URL, usersapi.WithHTTPClient(users.HTTP)); err != nil {
		t.Fatal(err)
	}
	if clients.Orders, err = ordersapi.NewClientWithResponses(orders.URL, ordersapi.WithHTTPClient(orders.HTTP)); err != nil {
		t.Fatal(err)
	}
	if clients.Payments, err = paymentsapi.NewClientWithResponses(payments.URL, paymentsapi.WithHTTPClient(payments.HTTP)); err != nil {
		t.Fatal(err)
	}
	if clients.Catalog, err = catalogapi.NewClientWithResponses(catalog.URL, catalogapi.WithHTTPClient(catalog.HTTP)); err != nil {
		t.Fatal(err)
	}
	return clients
}

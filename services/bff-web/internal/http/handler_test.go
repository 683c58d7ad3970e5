package http_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/bff-web/api"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/app"
	web "github.com/trellis-mesh/trellis/services/bff-web/internal/http"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/shop"
	"github.com/trellis-mesh/trellis/services/bff-web/internal/shop/shoptest"
)

// serve is the API as the service has it, contract validation included, before the shop over the network. Calls to the services that
// are named are given up soon; for all others there is time, however busy the machine is.
func serve(t *testing.T, s *shoptest.Shop, impatient ...string) http.Handler {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "bff-web", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	clients := s.Network(t, func(service string) httpclient.Options {
		o := httpclient.Options{Timeout: time.Minute, Attempts: 1}
		if slices.Contains(impatient, service) {
			o.Timeout = 50 * time.Millisecond
		}
		return o
	})
	api.Register(server.Router(), web.New(web.Deps{Pages: app.New(shop.New(clients), app.Options{Lookup: time.Minute})}))
	return server.Handler()
}

// get gives the status and the body of an answer.
func get(t *testing.T, h http.Handler, path string) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v in %s", path, err, w.Body)
	}
	return w.Code, body
}

// read is text in JSON, for comparisons.
func read(t *testing.T, text string) (value map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

const adaShown = `{"id": "ada", "name": "Ada", "email": "ada@example.com", "avatar": "https://img.example/ada"}`

func euros(amount string) string { return `{"amount": "` + amount + `", "currency": "EUR"}` }

func item(id string) string {
	return `{"productId": "` + id + `", "sku": "SKU-` + id + `", "name": "` + id + `", "quantity": 1, "unitPrice": ` + euros("1.00") + `, "subtotal": ` + euros("1.00") + `}`
}

func order(id, status, total string, items ...string) string {
	return `{"id": "` + id + `", "status": "` + status + `", "total": ` + euros(total) + `, "createdAt": "2026-01-02T03:04:05Z", "items": [` + strings.Join(items, ",") + `]}`
}

func TestDashboardIsComposedOfFourServices(t *testing.T) {
	s := shoptest.New()
	status, got := get(t, serve(t, s), "/v1/dashboard?userId=ada")
	want := read(t, `{"user": `+adaShown+`,
		"orders": [`+order("o3", "cancelled", "99.00", item("tea"))+`,`+order("o2", "confirmed", "0.99", item("sugar"))+`,`+order("o1", "completed", "13.49", item("tea"), item("sugar"))+`],
		"payments": [{"orderId": "o1", "status": "succeeded", "amount": `+euros("13.49")+`}],
		"analytics": {"orderCount": 2, "totalSpent": [`+euros("14.48")+`], "averageOrderValue": [`+euros("7.24")+`]}}`)
	if diff := cmp.Diff(want, got); diff != "" || status != http.StatusOK {
		t.Error(status, diff)
	}
	if asked := s.Asked("orders"); len(asked) != 1 || !strings.Contains(asked[0], "customerId=ada") {
		t.Errorf("orders was asked %v", asked)
	}
	if asked := s.Asked("payments"); len(asked) != 1 || !strings.Contains(asked[0], "customerId=ada") {
		t.Errorf("payments was asked %v", asked)
	}
}

func TestDashboardIsThatOfWhomTheTokenSpeaksFor(t *testing.T) {
	s := shoptest.New()
	if status, body := get(t, serve(t, s), "/v1/dashboard"); status != http.StatusOK || s.Asked("users")[0] != "/v1/users/somebody" {
		t.Errorf("%d %v after %v was asked for", status, body, s.Asked("users"))
	}
}

// TestProductsAreLookedUpManyAtOnce counts the calls to catalog: never one a product.
func TestProductsAreLookedUpManyAtOnce(t *testing.T) {
	for products, calls := range map[int]int{0: 0, 1: 1, 100: 1, 101: 2, 250: 3} {
		s := shoptest.New()
		s.Orders = nil
		var want []string
		for i := range products {
			id := fmt.Sprintf("p%03d", i)
			want = append(want, id)
			s.Orders = append(s.Orders, shoptest.Order{ID: "a" + id, Status: "completed", Total: "1.00", Currency: "EUR", Products: []string{id, "p000"}})
		}
		if status, got := get(t, serve(t, s), "/v1/dashboard?userId=ada"); status != http.StatusOK || got["degraded"] != nil {
			t.Fatalf("%d products: %d, degraded: %v", products, status, got["degraded"])
		}
		var looked []string
		for _, asked := range s.Asked("catalog") {
			ids := shoptest.IDs(asked)
			if len(ids) == 0 || len(ids) > 100 || !strings.Contains(asked, "limit=100") {
				t.Errorf("%d products: a call for %d of them: %s", products, len(ids), asked)
			}
			looked = append(looked, ids...)
		}
		slices.Sort(looked)
		if diff := cmp.Diff(want, looked); diff != "" || len(s.Asked("catalog")) != calls {
			t.Errorf("%d products: %d calls, want %d; %s", products, len(s.Asked("catalog")), calls, diff)
		}
	}
}

func TestMissingProductDegradesItsItemAlone(t *testing.T) {
	s := shoptest.New()
	s.Orders = []shoptest.Order{{ID: "o1", Status: "completed", Total: "2.00", Currency: "EUR", Products: []string{"tea", "gone"}}}
	former := strings.Replace(item("gone"), `"sku": "SKU-gone", "name": "gone"`, `"name": "former gone", "degraded": true`, 1)
	status, got := get(t, serve(t, s), "/v1/orders/o1")
	want := read(t, `{"order": `+order("o1", "completed", "2.00", item("tea"), former)+`, "customer": `+adaShown+`}`)
	if diff := cmp.Diff(want, got); diff != "" || status != http.StatusOK {
		t.Error(status, diff)
	}
}

// TestPartThatFailsIsLeftOutAndNamed breaks one service after the other, in each way, for each page.
func TestPartThatFailsIsLeftOutAndNamed(t *testing.T) {
	broken := map[string]http.HandlerFunc{
		"fails":            shoptest.Refusing(http.StatusInternalServerError, "internal_error"),
		"hangs":            shoptest.Hung,
		"is overloaded":    shoptest.Refusing(http.StatusServiceUnavailable, "overloaded"),
		"sheds load":       shoptest.Refusing(http.StatusTooManyRequests, "slow_down"),
		"talks nonsense":   func(w http.ResponseWriter, _ *http.Request) { shoptest.Answer(w, http.StatusOK, `<html>`) },
		"is misunderstood": shoptest.Refusing(http.StatusUnprocessableEntity, "invalid"),
	}
	for _, test := range []struct {
		page, service, degraded string
		absent                  []string
	}{
		{"/v1/dashboard?userId=ada", "users", "user", []string{"user"}},
		{"/v1/dashboard?userId=ada", "orders", "orders", []string{"analytics"}},
		{"/v1/dashboard?userId=ada", "payments", "payments", nil},
		{"/v1/dashboard?userId=ada", "catalog", "products", nil},
		{"/v1/orders/o1", "users", "customer", []string{"customer"}},
		{"/v1/orders/o1", "catalog", "products", nil},
		{"/v1/users/ada/orders", "users", "customer", []string{"customer"}},
		{"/v1/users/ada/orders", "catalog", "products", nil},
	} {
		healthy := serve(t, shoptest.New())
		_, whole := get(t, healthy, test.page)
		for how, handler := range broken {
			t.Run(test.page+" when "+test.service+" "+how, func(t *testing.T) {
				s, impatient := shoptest.New(), []string(nil)
				if how == "hangs" {
					impatient = []string{test.service}
				}
				s.Handlers[test.service] = handler
				status, got := get(t, serve(t, s, impatient...), test.page)
				if diff := cmp.Diff([]any{test.degraded}, got["degraded"]); diff != "" || status != http.StatusOK {
					t.Fatal(status, diff)
				}
				for name := range whole {
					if _, there := got[name]; there == slices.Contains(test.absent, name) {
						t.Errorf("%s is there: %t", name, there)
					}
				}
				if list, isList := got[test.degraded].([]any); test.service != "users" && test.service != "catalog" && (!isList || len(list) != 0) {
					t.Errorf("%s: %v, want an empty list", test.degraded, got[test.degraded])
				}
				if test.service == "catalog" && !strings.Contains(fmt.Sprint(got), "name:former tea") {
					t.Errorf("items have not the names that they were ordered under: %v", got)
				}
			})
		}
	}
}

func TestPageWithoutItsMainPartIsNone(t *testing.T) {
	for _, page := range []string{"/v1/orders/o1", "/v1/users/ada/orders"} {
		for want, handler := range map[int]http.HandlerFunc{502: shoptest.Refusing(500, "internal_error"), 504: shoptest.Hung, 403: shoptest.Refusing(403, "insufficient_scope")} {
			s := shoptest.New()
			s.Handlers["orders"] = handler
			var impatient []string
			if want == http.StatusGatewayTimeout {
				impatient = []string{"orders"}
			}
			if status, body := get(t, serve(t, s, impatient...), page); status != want {
				t.Errorf("%s: %d %v, want %d", page, status, body, want)
			}
		}
	}
	if status, body := get(t, serve(t, shoptest.New()), "/v1/orders/unknown"); status != 404 || body["code"] != "order_not_found" {
		t.Errorf("%d %v", status, body)
	}
}

// TestWhatCalleesSayOfTheRequestIsPassedOn: what users hides is not to be had here either.
func TestWhatCalleesSayOfTheRequestIsPassedOn(t *testing.T) {
	for _, test := range []struct {
		page, service string
		status        int
		code          string
	}{
		{"/v1/dashboard?userId=ada", "users", 403, "insufficient_scope"},
		{"/v1/dashboard?userId=ada", "orders", 403, "insufficient_scope"},
		{"/v1/dashboard?userId=ada", "payments", 403, "insufficient_scope"},
		{"/v1/dashboard?userId=ada", "payments", 401, "invalid_token"},
		{"/v1/dashboard?userId=ada", "users", 404, "user_not_found"},
		{"/v1/users/ada/orders", "users", 404, "user_not_found"},
		{"/v1/users/ada/orders", "users", 403, "insufficient_scope"},
		{"/v1/orders/o1", "users", 403, "insufficient_scope"},
	} {
		s := shoptest.New()
		s.Handlers[test.service] = shoptest.Refusing(test.status, test.code)
		if status, body := get(t, serve(t, s), test.page); status != test.status || body["code"] != test.code {
			t.Errorf("%s when %s says %d: %d %v", test.page, test.service, test.status, status, body)
		}
	}
}

func TestDashboardOfNothingIsUnavailable(t *testing.T) {
	s := shoptest.New()
	for service := range s.Handlers {
		s.Handlers[service] = shoptest.Refusing(http.StatusInternalServerError, "internal_error")
	}
	if status, body := get(t, serve(t, s), "/v1/dashboard?userId=ada"); status != http.StatusServiceUnavailable || body["code"] != "parts_unavailable" {
		t.Errorf("%d %v", status, body)
	}
}

func TestCustomerWhoIsGoneLeavesTheOrder(t *testing.T) {
	s := shoptest.New()
	s.Handlers["users"] = shoptest.Refusing(http.StatusNotFound, "user_not_found")
	status, got := get(t, serve(t, s), "/v1/orders/o2")
	want := read(t, `{"order": `+order("o2", "confirmed", "0.99", item("sugar"))+`}`)
	if diff := cmp.Diff(want, got); diff != "" || status != http.StatusOK {
		t.Error(status, diff)
	}
}

func TestOrdersOfAUserHaveASummary(t *testing.T) {
	s := shoptest.New()
	s.Orders = append(s.Orders, shoptest.Order{ID: "o0", Status: "completed", Total: "5.00", Currency: "USD", Products: []string{"cola"}})
	status, got := get(t, serve(t, s), "/v1/users/ada/orders?limit=7")
	want := read(t, `{"totalOrders": 4, "totalSpent": [`+euros("14.48")+`, {"amount": "5.00", "currency": "USD"}]}`)
	if diff := cmp.Diff(want, got["summary"]); diff != "" || status != http.StatusOK {
		t.Error(status, diff)
	}
	if diff := cmp.Diff(read(t, adaShown), got["customer"]); diff != "" {
		t.Error(diff)
	}
	if orders, _ := got["orders"].([]any); len(orders) != 4 || !strings.Contains(s.Asked("orders")[0], "limit=7") {
		t.Errorf("%d orders after %v", len(orders), s.Asked("orders"))
	}
}

func TestCalleeWithAStrangeAmountHasFailed(t *testing.T) {
	s := shoptest.New()
	s.Orders[0].Total = "1,50"
	if status, got := get(t, serve(t, s), "/v1/dashboard?userId=ada"); status != http.StatusOK || !cmp.Equal(got["degraded"], []any{"orders"}) {
		t.Errorf("%d %v", status, got)
	}
}

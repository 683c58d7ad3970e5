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
	"github.com/trellis-mesh/trellis/services/bff-mobile/api"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/app"
	mobile "github.com/trellis-mesh/trellis/services/bff-mobile/internal/http"
	"github.com/trellis-mesh/trellis/services/bff-mobile/internal/shop"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// ada answers for users, and ordered for orders, with three orders; generous gives more of them than are asked for.
func ada(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, `{"id": "`+strings.TrimPrefix(r.URL.Path, "/v1/users/")+`", "name": "Ada", "email": "ada@example.com", "avatar": "https://img.example/ada", "region": "EU", "createdAt": "2026-01-02T03:04:05Z"}`)
}

func ordered(w http.ResponseWriter, r *http.Request) { list(w, r, 3) }

func generous(w http.ResponseWriter, r *http.Request) { list(w, r, app.Latest+1) }

func list(w http.ResponseWriter, r *http.Request, n int) {
	if r.URL.Query().Get("limit") != "5" || r.URL.Query().Get("customerId") == "" {
		answer(w, http.StatusTeapot, `{}`)
		return
	}
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf(`{"id": "o%d", "customer": {"id": "ada", "name": "Ada"}, "status": "completed", "fulfilment": "choreography",
			"items": [{"productId": "tea", "name": "Tea", "quantity": 1, "unitPrice": {"amount": "1.50", "currency": "EUR"}, "subtotal": {"amount": "1.50", "currency": "EUR"}}],
			"total": {"amount": "1.50", "currency": "EUR"}, "createdAt": "2026-01-02T03:04:05Z"}`, i))
	}
	answer(w, http.StatusOK, `{"items": [`+strings.Join(items, ",")+`]}`)
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// refusing answers with a status and a code.
func refusing(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, status, `{"code": "`+code+`"}`) }
}

// hung never answers.
func hung(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// serve is the API as the service has it, contract validation included, before callees over the network. Calls to the callees that are
// named are given up soon; for all others there is time, however busy the machine is.
func serve(t *testing.T, users, orders http.HandlerFunc, impatient ...string) http.Handler {
	t.Helper()
	client := func(name string, h http.HandlerFunc) *httpclient.Client {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		timeout := time.Minute
		if slices.Contains(impatient, name) {
			timeout = 50 * time.Millisecond
		}
		c, err := httpclient.New(httpclient.Options{Name: name, URL: server.URL, Timeout: timeout, Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.HTTP.CloseIdleConnections)
		return c
	}
	var clients mobile.Clients
	var err error
	c := client("users", users)
	if clients.Users, err = usersapi.NewClientWithResponses(c.URL, usersapi.WithHTTPClient(c.HTTP)); err != nil {
		t.Fatal(err)
	}
	c = client("orders", orders)
	if clients.Orders, err = ordersapi.NewClientWithResponses(c.URL, ordersapi.WithHTTPClient(c.HTTP)); err != nil {
		t.Fatal(err)
	}
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "bff-mobile", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	api.Register(server.Router(), mobile.New(mobile.Deps{Screens: app.New(shop.New(clients))}))
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

// TestSmallScreensGetWhatTheyShowAndNoMore compares the whole answer: a member too many is bytes that nobody sees.
func TestSmallScreensGetWhatTheyShowAndNoMore(t *testing.T) {
	status, got := get(t, serve(t, ada, ordered), "/v1/dashboard?userId=ada")
	order := func(id string) any {
		return map[string]any{"id": id, "status": "completed", "total": map[string]any{"amount": "1.50", "currency": "EUR"}, "createdAt": "2026-01-02T03:04:05Z"}
	}
	want := map[string]any{"user": map[string]any{"name": "Ada", "avatar": "https://img.example/ada"}, "orders": []any{order("o0"), order("o1"), order("o2")}}
	if diff := cmp.Diff(want, got); diff != "" || status != http.StatusOK {
		t.Error(status, diff)
	}
}

func TestNoMoreOrdersAreShownThanThereIsRoomFor(t *testing.T) {
	if _, got := get(t, serve(t, ada, generous), "/v1/dashboard?userId=ada"); len(got["orders"].([]any)) != app.Latest {
		t.Errorf("%d orders, want %d", len(got["orders"].([]any)), app.Latest)
	}
}

func TestDashboardIsThatOfWhomTheTokenSpeaksFor(t *testing.T) {
	asked := ""
	users := func(w http.ResponseWriter, r *http.Request) { asked = r.URL.Path; ada(w, r) }
	if status, body := get(t, serve(t, users, ordered), "/v1/dashboard"); status != http.StatusOK || asked != "/v1/users/somebody" {
		t.Errorf("%d %v after %s was asked for", status, body, asked)
	}
}

func TestPartThatFailsIsLeftOut(t *testing.T) {
	away := refusing(http.StatusInternalServerError, "internal_error")
	for name, test := range map[string]struct {
		users, orders http.HandlerFunc
		degraded      []any
	}{
		"users fails":  {away, ordered, []any{"user"}},
		"users hangs":  {hung, ordered, []any{"user"}},
		"orders fails": {ada, away, []any{"orders"}},
		"orders hangs": {ada, hung, []any{"orders"}},
		"orders has a strange price": {ada, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, `{"items": [{"total": {"amount": "1,50", "currency": "EUR"}}]}`)
		}, []any{"orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			var impatient []string
			if service, hangs := strings.CutSuffix(name, " hangs"); hangs {
				impatient = []string{service}
			}
			status, got := get(t, serve(t, test.users, test.orders, impatient...), "/v1/dashboard?userId=ada")
			degraded, _ := got["degraded"].([]any)
			if diff := cmp.Diff(test.degraded, degraded); diff != "" || status != http.StatusOK {
				t.Fatal(status, diff)
			}
			if _, there := got["user"]; there == cmp.Equal(test.degraded, []any{"user"}) {
				t.Errorf("user is there: %t", there)
			}
			if orders, isList := got["orders"].([]any); !isList || len(orders) > 0 == cmp.Equal(test.degraded, []any{"orders"}) {
				t.Errorf("orders: %v", got["orders"])
			}
		})
	}
}

func TestWhatCalleesSayOfTheRequestIsPassedOn(t *testing.T) {
	away := refusing(http.StatusServiceUnavailable, "overloaded")
	for name, test := range map[string]struct {
		users, orders http.HandlerFunc
		status        int
		code          string
	}{
		"users hides the user":    {refusing(403, "insufficient_scope"), ordered, 403, "insufficient_scope"},
		"orders hides the orders": {ada, refusing(403, "insufficient_scope"), 403, "insufficient_scope"},
		"there is no such user":   {refusing(404, "user_not_found"), ordered, 404, "user_not_found"},
		"nobody can be asked":     {away, away, 503, "parts_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, got := get(t, serve(t, test.users, test.orders), "/v1/dashboard?userId=ada"); status != test.status || got["code"] != test.code {
				t.Errorf("%d %v, want %d %s", status, got, test.status, test.code)
			}
		})
	}
}

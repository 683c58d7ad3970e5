package http

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	bffmobileapi "github.com/trellis-mesh/trellis/services/bff-mobile/api"
	bffwebapi "github.com/trellis-mesh/trellis/services/bff-web/api"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// places gives the path and method of each operation of a contract.
func places(t *testing.T, contract []byte) map[string][2]string {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][2]string{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			all[operation.OperationID] = [2]string{method, path}
		}
	}
	return all
}

func TestEveryOperationLeadsToADeclaredOneOfItsCallee(t *testing.T) {
	text, err := os.ReadFile("../../service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var declared struct {
		Calls map[string]struct{ Operations []string }
	}
	if err := yaml.Unmarshal(text, &declared); err != nil {
		t.Fatal(err)
	}
	contracts := map[string][]byte{
		"catalog": catalogapi.Contract, "users": usersapi.Contract, "orders": ordersapi.Contract, "bff-web": bffwebapi.Contract,
		"bff-mobile": bffmobileapi.Contract, "legacy": legacyapi.Contract,
	}
	ours := places(t, api.Contract)
	for operation, place := range ours {
		route, known := proxy.Routes[operation]
		if !known {
			t.Errorf("%s has no route", operation)
			continue
		}
		theirs, known := places(t, contracts[route.Service])[route.Operation]
		if !known || theirs != [2]string{place[0], route.Path} {
			t.Errorf("%s, %s, leads to %s %s, which is %s there", operation, place, route.Service, route.Path, theirs)
		}
		if !slices.Contains(declared.Calls[route.Service].Operations, route.Operation) {
			t.Errorf("%s leads to %s of %s, which service.yaml does not declare", operation, route.Operation, route.Service)
		}
	}
	if len(proxy.Routes) != len(ours) {
		t.Errorf("there are %d routes for %d operations", len(proxy.Routes), len(ours))
	}
}

func TestRequestsArePassedOn(t *testing.T) {
	g := newGateway(t)
	const body, trace = `{"sku":"a", "n": 12345678901234567890.10}`, "0af7651916cd43dd8448eb211c80319c"
	for _, c := range []struct{ method, path, body, service, arrives string }{
		{"GET", "/api/products?ids=a", "", "catalog", "/v1/products?ids=a&limit=50"},
		{"GET", "/api/products/p-1", "", "catalog", "/v1/products/p-1"},
		{"POST", "/api/products", body, "catalog", "/v1/products"},
		{"POST", "/api/users", body, "users", "/v1/users"},
		{"GET", "/api/users/a%20b", "", "users", "/v1/users/a%20b"},
		{"GET", "/api/users/100%25", "", "users", "/v1/users/100%25"},
		{"GET", "/api/orders?customerId=ada&limit=7", "", "orders", "/v1/orders?customerId=ada&limit=7"},
		{"POST", "/api/orders", body, "orders", "/v1/orders"},
		{"GET", "/api/orders/o1", "", "orders", "/v1/orders/o1"},
		{"GET", "/api/orders/o1/details", "", "bff-web", "/v1/orders/o1"},
		{"GET", "/api/dashboard?userId=ada", "", "bff-web", "/v1/dashboard?userId=ada"},
		{"GET", "/api/mobile/dashboard", "", "bff-mobile", "/v1/dashboard"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			before := len(g.callees[c.service].requests())
			got := g.send(t, c.method, c.path, c.body, "X-Request-Id", "r-1", "Traceparent", "00-"+trace+"-b7ad6b7169203331-01")
			if got.status != http.StatusOK || got.body != `{"from":"`+c.service+`"}` || got.header.Get("Content-Type") != plain {
				t.Fatalf("%d %s", got.status, got.body)
			}
			asked := g.callees[c.service].requests()
			if len(asked) != before+1 {
				t.Fatalf("%s was asked %d times", c.service, len(asked)-before)
			}
			last := asked[before]
			if last.method != c.method || last.url != c.arrives || last.body != c.body {
				t.Errorf("%s %s %q arrived, want %s %q", last.method, last.url, last.body, c.arrives, c.body)
			}
			if last.header.Get("Authorization") != "Bearer ada" || last.header.Get("X-Request-Id") != "r-1" || got.header.Get("X-Request-Id") != "r-1" {
				t.Errorf("the token or the request's id did not arrive: %v; %v", last.header, got.header)
			}
			span, left := last.header["Traceparent"], last.header.Get(httpclient.DeadlineHeader)
			if len(span) != 1 || !strings.HasPrefix(span[0], "00-"+trace+"-") || strings.Contains(span[0], "b7ad6b7169203331") || left == "" {
				t.Errorf("the call is in trace %q, and the callee has %q ms", span, left)
			}
		})
	}
}

// A path that consists of dots would be another one to whoever tidies it up on the way.
func TestAnIDIsOneSegment(t *testing.T) {
	g := newGateway(t)
	for _, path := range []string{"/api/orders/..", "/api/orders/../details", "/api/orders/.", "/api/users/..", "/api/orders/a%2Fb", "/api/orders/a%2F..%2Fb", "/api/orders/%2E%2E"} {
		conn, err := net.Dial("tcp", g.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer ada\r\nConnection: close\r\n\r\n", path) // net/http would tidy it up
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if line, _, _ := strings.Cut(string(answer), "\r\n"); !strings.Contains(line, " 404 ") && !strings.Contains(line, " 400 ") {
			t.Errorf("%s: %s", path, line)
		}
	}
	for name, c := range g.callees {
		if n := len(c.requests()); n > 0 {
			t.Errorf("%s was asked %v", name, c.requests())
		}
	}
}

func TestHeadersOfOneConnectionStayOnIt(t *testing.T) {
	g := newGateway(t)
	g.callees["users"].answers(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{
			"Connection": "Keep-Alive, X-Secret", "X-Secret": "s", "Keep-Alive": "timeout=5", "Proxy-Authenticate": "Basic", "Upgrade": "h2c",
			"Server": "envoy", "X-Envoy-Upstream-Service-Time": "3", "Via": "1.1 10.0.0.7", "Deprecation": "@1", "Sunset": "x", "Link": "</v2/users>",
			"X-RateLimit-Limit": "7", "Location": "http://10.0.0.7:8080/v1/users/ada", "X-Kept": "yes", "Vary": "X-Mood", "Etag": `"1"`,
		} {
			w.Header().Set(name, value)
		}
		says(http.StatusOK, plain, "{}")(w, nil)
	})
	got := g.send(t, "GET", "/api/users/ada", "",
		"Connection", "X-Mine, Keep-Alive", "X-Mine", "m", "Keep-Alive", "timeout=9", "Te", "trailers", "Proxy-Authorization", "Basic eA==",
		"Proxy-Connection", "keep-alive", "X-Kept", "yes", "X-Envoy-Retry-On", "5xx", "X-Envoy-Fault-Delay-Request", "9", "X-Forwarded-Client-Cert", "By=x",
		"Forwarded", "for=1.2.3.4", "X-Real-Ip", "1.2.3.4", "X-B3-Sampled", "1", "Idempotency-Key", "k")
	sent := g.callees["users"].requests()[0].header
	for _, name := range []string{
		"X-Mine", "Keep-Alive", "Te", "Proxy-Authorization", "Proxy-Connection", "X-Envoy-Retry-On", "X-Envoy-Fault-Delay-Request",
		"X-Forwarded-Client-Cert", "Forwarded", "X-Real-Ip", "X-B3-Sampled", "Connection",
	} {
		if value, there := sent[name]; there {
			t.Errorf("the callee got %s: %s", name, value)
		}
	}
	if sent.Get("X-Kept") != "yes" || sent.Get("Idempotency-Key") != "k" {
		t.Errorf("the callee got %v", sent)
	}
	for _, name := range []string{
		"X-Secret", "Keep-Alive", "Proxy-Authenticate", "Upgrade", "Server", "X-Envoy-Upstream-Service-Time", "Via", "Deprecation", "Sunset", "Link",
		"X-Ratelimit-Limit", "Location",
	} {
		if value, there := got.header[name]; there {
			t.Errorf("the client got %s: %s", name, value)
		}
	}
	vary := strings.Join(got.header["Vary"], ",")
	if got.header.Get("X-Kept") != "yes" || got.header.Get("Etag") != `"1"` || !strings.Contains(vary, "X-Mood") || !strings.Contains(vary, "Api-Version") {
		t.Errorf("the client got %v", got.header)
	}
}

func TestAClientsWordOnItsAddressIsNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		proxies              []string
		said, proto          string
		forwarded, toldProto string
	}{
		"from anybody":                       {nil, "203.0.113.9", "https", "127.0.0.1", "http"},
		"from a trusted proxy":               {[]string{"127.0.0.0/8"}, "198.51.100.1, 203.0.113.9", "https", "203.0.113.9", "https"},
		"from a trusted proxy, without one":  {[]string{"127.0.0.0/8"}, "", "https", "127.0.0.1", "http"},
		"from a trusted proxy, odd protocol": {[]string{"127.0.0.0/8"}, "203.0.113.9", "gopher", "203.0.113.9", "http"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, func(s *setup) { s.proxies = c.proxies })
			headers := []string{"X-Forwarded-Proto", c.proto, "X-Forwarded-Host", "evil.example"}
			if c.said != "" {
				headers = append(headers, "X-Forwarded-For", c.said)
			}
			g.send(t, "GET", "/api/users/ada", "", headers...)
			sent := g.callees["users"].requests()[0]
			if got := sent.header["X-Forwarded-For"]; !slices.Equal(got, []string{c.forwarded}) {
				t.Errorf("X-Forwarded-For: %q, want %s", got, c.forwarded)
			}
			if got := sent.header["X-Forwarded-Proto"]; !slices.Equal(got, []string{c.toldProto}) {
				t.Errorf("X-Forwarded-Proto: %q, want %s", got, c.toldProto)
			}
			if got := sent.header["X-Forwarded-Host"]; !slices.Equal(got, []string{g.Listener.Addr().String()}) || sent.host == got[0] {
				t.Errorf("X-Forwarded-Host: %q, Host: %s", got, sent.host)
			}
		})
	}
}

func TestWithoutATokenNothingIsAsked(t *testing.T) {
	g := newGateway(t)
	for _, path := range []string{"/api/users/ada", "/api/orders?customerId=ada", "/api/dashboard"} {
		got, err := g.Client().Get(g.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	for name, c := range g.callees {
		if len(c.requests()) > 0 {
			t.Errorf("%s was asked", name)
		}
	}
}

// A name and a password are for whom they were given to alone.
func TestOnlyTokensArePassedOn(t *testing.T) {
	g := newGateway(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+"/api/products/p1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("ada", "secret")
	resp, err := g.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if sent := g.callees["catalog"].requests(); resp.StatusCode != http.StatusOK || len(sent) != 1 || sent[0].header["Authorization"] != nil {
		t.Errorf("%d, %v", resp.StatusCode, sent)
	}
}

func TestLocationIsThatOfTheGateway(t *testing.T) {
	g := newGateway(t)
	g.callees["orders"].answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/v1/orders/o1")
		says(http.StatusCreated, plain, `{"id":"o1"}`)(w, nil)
	})
	if got := g.send(t, "POST", "/api/orders", "{}"); got.status != 201 || got.header.Get("Location") != "/api/orders/o1" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

// comesAgain is a refusal with a word about when it is over.
func comesAgain(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "70")
		says(status, "text/plain", "local_rate_limited")(w, nil)
	}
}

func TestWhenToTryAgainIsPassedOn(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		g := newGateway(t)
		g.callees["users"].answers(comesAgain(status))
		if got := g.send(t, "GET", "/api/users/ada", ""); got.status != 503 || got.header.Get("Retry-After") != "70" {
			t.Errorf("%d: %d, Retry-After %q", status, got.status, got.header.Get("Retry-After"))
		}
	}
}

// What a callee itself refuses is for the client; what a proxy on the way says is not.
func TestOnlyProblemsOfServicesAreShown(t *testing.T) {
	const envoy = "upstream connect error or disconnect/reset before headers. remote address:10.0.0.7:8080"
	own := `{"type":"about:blank","title":"Not Found","status":404,"code":"user_not_found","instance":"/v1/users/ada","requestId":"r-1"}`
	for name, c := range map[string]struct {
		says   http.HandlerFunc
		status int
		code   string
	}{
		"a service's own":       {says(404, "application/problem+json", own), 404, "user_not_found"},
		"a service's own 500":   {says(500, "application/problem+json; charset=utf-8", `{"status":500,"code":"internal_error"}`), 500, "internal_error"},
		"the mesh, away":        {says(503, "text/plain", envoy), 503, "dependency_unavailable"},
		"the mesh, late":        {says(504, "text/plain", envoy), 504, "dependency_timeout"},
		"the mesh, refused":     {says(403, "text/plain", "RBAC: access denied"), 502, "dependency_failed"},
		"the mesh, too many":    {says(429, "text/plain", "local_rate_limited"), 503, "dependency_busy"},
		"a page of errors":      {says(500, "text/html", "<h1>"+envoy+"</h1>"), 502, "dependency_failed"},
		"a redirection":         {says(302, "text/html", envoy), 502, "dependency_failed"},
		"no problem in JSON":    {says(400, plain, `{"at":"10.0.0.7"}`), 502, "dependency_failed"},
		"a problem that is not": {says(500, "application/problem+json", `[10.0.0.7`), 502, "dependency_failed"},
		"an endless problem":    {says(400, "application/problem+json", `{"detail":"`+strings.Repeat("10.0.0.7", 10_000)+`"}`), 502, "dependency_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			g.callees["users"].answers(c.says)
			got := g.send(t, "GET", "/api/users/ada", "")
			if got.status != c.status || got.code(t) != c.code {
				t.Errorf("%d %s, want %d %s", got.status, got.body, c.status, c.code)
			}
			if strings.Contains(got.body, "10.0.0.7") || strings.Contains(got.body, "/v1/") || !strings.Contains(got.body, `"instance":"/api/users/ada"`) {
				t.Errorf("it shows %s", got.body)
			}
		})
	}
}

func TestACalleeThatIsAwayIsAProblem(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		g := newGateway(t)
		g.callees["users"].Close()
		got := g.send(t, "GET", "/api/users/ada", "")
		if got.status != http.StatusBadGateway || got.code(t) != "dependency_failed" || strings.Contains(got.body, "127.0.0.1") {
			t.Errorf("%d %s", got.status, got.body)
		}
		if other := g.send(t, "GET", "/api/orders/o1", ""); other.status != http.StatusOK {
			t.Errorf("another callee: %d %s", other.status, other.body)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		g := newGateway(t, func(s *setup) { s.client.Timeout = 50 * time.Millisecond })
		g.callees["users"].answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if got := g.send(t, "GET", "/api/users/ada", ""); got.status != http.StatusGatewayTimeout || got.code(t) != "dependency_timeout" {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("breaks off at the start", func(t *testing.T) {
		g := newGateway(t)
		g.callees["users"].answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			says(http.StatusOK, plain, `{"id":`)(w, nil)
		})
		if got := g.send(t, "GET", "/api/users/ada", ""); got.status != http.StatusBadGateway || got.code(t) != "dependency_failed" {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("breaks off in the middle", func(t *testing.T) {
		g := newGateway(t)
		g.callees["users"].answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			says(http.StatusOK, plain, strings.Repeat("x", 500_000))(w, nil)
		})
		if got, err := g.try(t.Context(), "GET", "/api/users/ada", ""); err == nil {
			t.Errorf("the client takes %d bytes for the whole", len(got.body))
		}
	})
	t.Run("breaks off in the middle, of a length that nobody knows", func(t *testing.T) {
		g := newGateway(t)
		g.callees["users"].answers(func(w http.ResponseWriter, _ *http.Request) {
			says(http.StatusOK, plain, strings.Repeat("x", 500_000))(w, nil)
			panic(http.ErrAbortHandler)
		})
		if got, err := g.try(t.Context(), "GET", "/api/users/ada", ""); err == nil {
			t.Errorf("the client takes %d bytes for the whole", len(got.body))
		}
	})
	t.Run("headers without an end", func(t *testing.T) {
		g := newGateway(t)
		g.callees["users"].answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 200<<10))
			says(http.StatusOK, plain, "{}")(w, nil)
		})
		if got := g.send(t, "GET", "/api/users/ada", ""); got.status != http.StatusBadGateway {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

func TestAnOpenBreakerKeepsToItsCallee(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.client.Breaker.Volume = 4 })
	g.callees["users"].answers(says(500, "application/problem+json", `{"code":"internal_error"}`))
	for range 4 {
		g.send(t, "GET", "/api/users/ada", "")
	}
	got := g.send(t, "GET", "/api/users/ada", "")
	if got.status != http.StatusServiceUnavailable || got.code(t) != "dependency_unavailable" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := len(g.callees["users"].requests()); n != 4 {
		t.Errorf("users was asked %d times", n)
	}
	if other := g.send(t, "GET", "/api/orders/o1", ""); other.status != http.StatusOK {
		t.Errorf("another callee: %d %s", other.status, other.body)
	}
}

func TestAFullBulkheadKeepsToItsCallee(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.client.Concurrency = 1 })
	entered, leave := make(chan struct{}), make(chan struct{})
	g.callees["users"].answers(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		says(http.StatusOK, plain, "{}")(w, r)
	})
	first := make(chan reply, 1)
	go func() {
		got, _ := g.try(context.WithoutCancel(t.Context()), "GET", "/api/users/ada", "")
		first <- got
	}()
	<-entered
	got := g.send(t, "GET", "/api/users/ada", "")
	if got.status != http.StatusServiceUnavailable || got.code(t) != "dependency_busy" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if other := g.send(t, "GET", "/api/orders/o1", ""); other.status != http.StatusOK {
		t.Errorf("another callee: %d %s", other.status, other.body)
	}
	close(leave)
	if got := <-first; got.status != http.StatusOK {
		t.Errorf("the first request: %d %s", got.status, got.body)
	}
}

func TestACallEndsWhenItsClientHangsUp(t *testing.T) {
	g := newGateway(t)
	entered, ended := make(chan struct{}), make(chan struct{})
	g.callees["users"].answers(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(ended)
	})
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := g.try(ctx, "GET", "/api/users/ada", "")
		done <- err
	}()
	<-entered
	hangUp()
	if err := <-done; err == nil {
		t.Error("the client got an answer")
	}
	select {
	case <-ended:
	case <-time.After(4 * time.Second): // the call's own deadline comes later
		t.Error("the callee goes on working for nobody")
	}
}

func TestBodiesAreBounded(t *testing.T) {
	g := newGateway(t, func(s *setup) { s.client.MaxBody = 1 << 20 })
	large := `{"x":"` + strings.Repeat("x", 2<<20) + `"}`
	if got := g.send(t, "POST", "/api/users", large); got.status != http.StatusRequestEntityTooLarge || got.code(t) != "body_too_large" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := len(g.callees["users"].requests()); n != 0 {
		t.Errorf("users was asked %d times", n)
	}
	g.callees["users"].answers(says(http.StatusOK, plain, large))
	if got, err := g.try(t.Context(), "GET", "/api/users/ada", ""); err == nil && got.status == http.StatusOK {
		t.Errorf("an answer of %d bytes passes", len(got.body))
	}
	fits := `{"x":"` + strings.Repeat("x", 1<<19) + `"}`
	g.callees["users"].answers(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		says(http.StatusCreated, plain, string(bytes.ToUpper(body)))(w, r)
	})
	if got := g.send(t, "POST", "/api/users", fits); got.status != http.StatusCreated || got.body != strings.ToUpper(fits) {
		t.Errorf("%d, %d bytes", got.status, len(got.body))
	}
}

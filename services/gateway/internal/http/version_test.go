package http

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

func TestAnOldClientGetsItsEnvelope(t *testing.T) {
	const v1, v2 = "application/vnd.trellis.v1+json", "application/vnd.trellis.v2+json"
	g := newGateway(t)
	for name, c := range map[string]struct {
		header, value, contentType string
		old                        bool
	}{
		"by header":          {"Api-Version", "1", plain, true},
		"by media type":      {"Accept", v1, v1, true},
		"the current one":    {"Api-Version", "2", plain, false},
		"the current type":   {"Accept", v2, v2, false},
		"who does not say":   {"Accept", "*/*", plain, false},
		"who has seen a lot": {"Accept", "text/html, application/json", plain, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := g.send(t, "GET", "/api/users/ada", "", c.header, c.value, "X-Request-Id", "r-7")
			want := `{"from":"users"}`
			if c.old {
				want = `{"data":{"from":"users"},"meta":{"requestId":"r-7","apiVersion":"1"}}`
			}
			if got.status != http.StatusOK || got.body != want || got.header.Get("Content-Type") != c.contentType {
				t.Errorf("%d %s %s, want %s", got.status, got.header.Get("Content-Type"), got.body, want)
			}
			if deprecated := got.header.Get("Deprecation"); (deprecated == "@1782864000") != c.old || (deprecated != "") != c.old {
				t.Errorf("Deprecation: %q", deprecated)
			}
			if ends, err := http.ParseTime(got.header.Get("Sunset")); c.old && (err != nil || ends.Year() != 2027) || !c.old && err == nil {
				t.Errorf("Sunset: %q", got.header.Get("Sunset"))
			}
			if vary := got.header.Get("Vary"); !strings.Contains(vary, "Accept") || !strings.Contains(vary, "Api-Version") {
				t.Errorf("Vary: %q", vary)
			}
			last := g.callees["users"].requests()
			if sent := last[len(last)-1].header; sent.Get("Api-Version") != "" || sent.Get("Accept") != plain {
				t.Errorf("the callee was asked for a version of the gateway's: %v", sent)
			}
		})
	}
}

func TestWhatIsRewrittenIsDeclared(t *testing.T) {
	g := newGateway(t)
	g.monolith(t)
	for operation, path := range map[string]string{
		"listProducts": "/api/products", "getProduct": "/api/products/p", "getUser": "/api/users/ada", "listOrders": "/api/orders?customerId=ada",
		"getOrder": "/api/orders/o", "getOrderDetails": "/api/orders/o/details", "getDashboard": "/api/dashboard",
		"getMobileDashboard": "/api/mobile/dashboard", "listSuppliers": "/api/suppliers", "getSupplier": "/api/suppliers/sup-001",
	} {
		got := g.send(t, "GET", path, "", "Api-Version", "1")
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(got.body), &members); err != nil || got.status != http.StatusOK {
			t.Fatalf("%s: %d %s: %v", operation, got.status, got.body, err)
		}
		rewritten := len(members) == 2 && members["data"] != nil && members["meta"] != nil
		if declared := proxy.Routes[operation].Envelope; rewritten != declared || (got.header.Get("Deprecation") != "") != declared {
			t.Errorf("%s: declared %v, and it is %s, deprecated %q", operation, declared, got.body, got.header.Get("Deprecation"))
		}
	}
}

func TestProblemsAreTheSameInEachVersion(t *testing.T) {
	g := newGateway(t)
	g.callees["users"].answers(says(404, "application/problem+json", `{"status":404,"code":"user_not_found"}`))
	if got := g.send(t, "GET", "/api/users/ada", "", "Api-Version", "1"); got.status != 404 || got.code(t) != "user_not_found" ||
		got.header.Get("Deprecation") == "" {
		t.Errorf("%d %s %v", got.status, got.body, got.header)
	}
}

func TestAnUnknownVersionIsRefusedBeforeAnythingIsDone(t *testing.T) {
	g := newGateway(t)
	for name, c := range map[string]struct {
		headers []string
		status  int
		code    string
	}{
		"unknown":            {[]string{"Api-Version", "3"}, 406, "api_version_unknown"},
		"unknown media type": {[]string{"Accept", "application/vnd.trellis.v9+json"}, 406, "api_version_unknown"},
		"two":                {[]string{"Api-Version", "2", "Accept", "application/vnd.trellis.v1+json"}, 400, "api_version_conflict"},
	} {
		if got := g.send(t, "POST", "/api/orders", "{}", c.headers...); got.status != c.status || got.code(t) != c.code {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if n := len(g.callees["orders"].requests()); n > 0 {
		t.Errorf("orders was asked %d times", n)
	}
}

func TestTheEnvelopeIsAsLongAsItSays(t *testing.T) {
	g := newGateway(t)
	for name, c := range map[string]string{"short": "{}", "long": `{"x":"` + strings.Repeat("ä", 100_000) + `"}`} {
		g.callees["users"].answers(func(w http.ResponseWriter, r *http.Request) {
			if name == "short" {
				w.Header().Set("Content-Length", "2")
			}
			w.Header().Set("Etag", `"1"`)
			says(http.StatusOK, plain, c)(w, r)
		})
		ctx := t.Context()
		deadline := time.Now().Add(10 * time.Second)
		got, err := g.try(ctx, "GET", "/api/users/ada", "", "Api-Version", "1")
		if err != nil || time.Now().After(deadline) {
			t.Fatal(err)
		}
		var envelope struct {
			Data json.RawMessage
			Meta struct{ RequestID, APIVersion string }
		}
		if err := json.Unmarshal([]byte(got.body), &envelope); err != nil || string(envelope.Data) != c || envelope.Meta.APIVersion != "1" ||
			envelope.Meta.RequestID != got.header.Get("X-Request-Id") {
			t.Errorf("%s: %v in %.100s", name, err, got.body)
		}
		if got.header.Get("Etag") != "" {
			t.Error("the envelope has the tag of what is in it")
		}
	}
}

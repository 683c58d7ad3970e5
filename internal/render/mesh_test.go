package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// objects are the YAML documents of a file.
func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object)
	}
}

// meshOf is the object of that kind and name in the service's part of the mesh, or nil.
func meshOf(t *testing.T, p *platform, service, kind, name string) map[string]any {
	t.Helper()
	for _, o := range objects(t, p.read("services/"+service+"/deploy/mesh.yaml")) {
		if o["kind"] == kind && at(t, o, "metadata", "name") == name {
			return o
		}
	}
	return nil
}

// shopMesh is a platform whose catalog has an interesting contract, declared by hand.
func shopMesh(t *testing.T, declarations map[string]string) *platform {
	t.Helper()
	p := newPlatform(t)
	p.write("platform.yaml", "name: shop\ntrustDomain: shop.local\ngateway: {hosts: [shop.example.com, www.shop.example.com]}\n")
	for name, text := range declarations {
		p.write("services/"+name+"/service.yaml", "name: "+name+"\n"+text)
		contract := "openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\npaths: {}\n"
		switch name {
		case "catalog":
			contract = catalogContract
		case "users":
			contract = strings.Replace(contract, "{}", "{/oauth/token: {post: {operationId: issueToken, responses: {default: {description: d}}}}}", 1)
		}
		p.write("services/"+name+"/api/openapi.yaml", contract)
	}
	for name := range declarations {
		p.sync(name, Inputs{}, nil)
	}
	return p
}

const catalogContract = `openapi: 3.0.3
info: {title: catalog, version: 1.0.0}
components: {securitySchemes: {token: {type: oauth2, flows: {clientCredentials: {tokenUrl: /token, scopes: {products:read: r, products:write: w, admin: a}}}}}}
paths:
  /v1/products:
    get: {operationId: listProducts, responses: {default: {description: d}}}
    post: {operationId: createProduct, security: [{token: [products:write]}], responses: {default: {description: d}}}
  /v1/products/search:
    get: {operationId: searchProducts, responses: {default: {description: d}}}
  /v1/products/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getProduct, responses: {default: {description: d}}}
    put: {operationId: putProduct, security: [{token: [products:write, products:read]}, {token: [admin]}], responses: {default: {description: d}}}
    delete: {operationId: deleteProduct, security: [{token: []}], responses: {default: {description: d}}}
  /v1/products/{id}/price:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getPrice, responses: {default: {description: d}}}
    put: {operationId: putPrice, responses: {default: {description: d}}}
`

func TestGrantsNeverWiden(t *testing.T) {
	c, err := spec.ParseContract("openapi.yaml", []byte(catalogContract))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		declared []string
		want     []grant
	}{
		{"a parameter is one part of a path", []string{"getPrice"}, []grant{
			{Operations: []string{"getPrice"}, Methods: []string{"GET"}, Paths: []string{"/v1/products/{*}/price"}},
		}},
		{"another method on another path is not let in", []string{"listProducts", "putPrice"}, []grant{
			{Operations: []string{"listProducts"}, Methods: []string{"GET"}, Paths: []string{"/v1/products"}},
			{Operations: []string{"putPrice"}, Methods: []string{"PUT"}, Paths: []string{"/v1/products/{*}/price"}},
		}},
		{"the same methods share a grant", []string{"listProducts", "getPrice"}, []grant{
			{Operations: []string{"getPrice", "listProducts"}, Methods: []string{"GET"}, Paths: []string{"/v1/products", "/v1/products/{*}/price"}},
		}},
		{"a path of text is not let in by a parameter", []string{"getProduct", "deleteProduct"}, []grant{
			{Operations: []string{"deleteProduct"}, Methods: []string{"DELETE"}, Paths: []string{"/v1/products/{*}"}},
			{Operations: []string{"getProduct"}, Methods: []string{"GET"}, Paths: []string{"/v1/products/{*}"}, Except: []string{"/v1/products/search"}},
		}},
		{"but for one that is declared too", []string{"getProduct", "searchProducts"}, []grant{
			{Operations: []string{"getProduct", "searchProducts"}, Methods: []string{"GET"}, Paths: []string{"/v1/products/search", "/v1/products/{*}"}},
		}},
		{"all methods of a path share a grant", []string{"getPrice", "putPrice"}, []grant{
			{Operations: []string{"getPrice", "putPrice"}, Methods: []string{"GET", "PUT"}, Paths: []string{"/v1/products/{*}/price"}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, grants(c, declaredOperations(c, test.declared))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEverySetOfOperationsIsGrantedExactly asks, for every subset of the catalog's operations, for every operation.
func TestEverySetOfOperationsIsGrantedExactly(t *testing.T) {
	c, err := spec.ParseContract("openapi.yaml", []byte(catalogContract))
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{"createProduct", "deleteProduct", "getPrice", "getProduct", "listProducts", "putPrice", "putProduct", "searchProducts"}
	if len(ids) != len(c.Operations) {
		t.Fatal("not all operations are listed")
	}
	for set := range 1 << len(ids) {
		var declared []string
		for i, id := range ids {
			if set&(1<<i) != 0 {
				declared = append(declared, id)
			}
		}
		all := grants(c, declaredOperations(c, declared))
		for _, id := range ids {
			op := c.Operations[id]
			request := strings.ReplaceAll(op.Path, "{id}", "17")
			if got := granted(all, op.Method, request); got != slices.Contains(declared, id) {
				t.Errorf("%v declared: %s %s is let in: %t", declared, op.Method, request, got)
			}
		}
	}
}

// granted evaluates grants as the mesh does.
func granted(all []grant, method, path string) bool {
	on := func(templates []string) bool {
		return slices.ContainsFunc(templates, func(t string) bool { return spec.Overlap(t, path) })
	}
	return slices.ContainsFunc(all, func(g grant) bool {
		return slices.Contains(g.Methods, method) && on(g.Paths) && !on(g.Except)
	})
}

func TestCallersAreLetInToWhatTheyDeclare(t *testing.T) {
	p := shopMesh(t, map[string]string{
		"catalog": "http: {port: 8181}\n",
		"orders":  "calls: {catalog: {operations: [getProduct]}}\n",
		"admin":   "calls: {catalog: {operations: [putProduct, putPrice, listProducts]}}\n",
	})
	policy := meshOf(t, p, "catalog", "AuthorizationPolicy", "catalog")
	want := []any{
		map[string]any{
			"from": []any{map[string]any{"source": map[string]any{"principals": []any{"shop.local/ns/shop/sa/admin"}}}},
			"to": []any{
				map[string]any{"operation": map[string]any{"ports": []any{"8181"}, "methods": []any{"GET"}, "paths": []any{"/v1/products"}}},
				map[string]any{"operation": map[string]any{"ports": []any{"8181"}, "methods": []any{"PUT"}, "paths": []any{"/v1/products/{*}", "/v1/products/{*}/price"}}},
			},
		},
		map[string]any{
			"from": []any{map[string]any{"source": map[string]any{"principals": []any{"shop.local/ns/shop/sa/orders"}}}},
			"to": []any{map[string]any{"operation": map[string]any{
				"ports": []any{"8181"}, "methods": []any{"GET"}, "paths": []any{"/v1/products/{*}"}, "notPaths": []any{"/v1/products/search"},
			}}},
		},
		map[string]any{
			"from": []any{map[string]any{"source": map[string]any{"principals": []any{"shop.local/ns/observability/sa/prometheus"}}}},
			"to":   []any{map[string]any{"operation": map[string]any{"ports": []any{"9090"}, "methods": []any{"GET"}, "paths": []any{"/metrics"}}}},
		},
	}
	if diff := cmp.Diff(want, at(t, policy, "spec", "rules")); diff != "" {
		t.Error(diff)
	}
	if meshOf(t, p, "orders", "VirtualService", "orders") != nil {
		t.Error("nobody calls orders, so it needs no routes")
	}
}

// sent is what a route does, in a line.
func sent(t *testing.T, r any) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(at(t, r, "name").(string))
	for _, m := range at(t, r, "match").([]any) {
		if method, ok := at(t, m, "method", "exact").(string); ok {
			b.WriteString(" " + method)
		}
		if header, ok := at(t, m, "headers").(map[string]any); ok && len(header) > 0 {
			b.WriteString("*")
		}
	}
	for _, d := range at(t, r, "route").([]any) {
		b.WriteString(" " + at(t, d, "destination", "subset").(string))
		if w, ok := at(t, d, "weight").(int); ok {
			b.WriteString("=" + strings.Repeat("|", w/10))
		}
	}
	b.WriteString(" " + at(t, r, "timeout").(string))
	raw, err := yaml.Marshal(at(t, r, "retries"))
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString(" " + strings.Join(strings.Fields(string(raw)), " "))
	return b.String()
}

func allSent(t *testing.T, virtualService map[string]any) []string {
	t.Helper()
	var all []string
	for _, r := range at(t, virtualService, "spec", "http").([]any) {
		all = append(all, sent(t, r))
	}
	return all
}

func TestRetriesAreOfTheCallerAndOfWhatIsIdempotent(t *testing.T) {
	p := shopMesh(t, map[string]string{
		"catalog": "http: {timeout: 3s}\n",
		"orders":  "calls: {catalog: {operations: [getProduct, createProduct, putPrice], timeout: 900ms, retry: {attempts: 3, perTry: 250ms}}}\n",
		"admin":   "calls: {catalog: {operations: [createProduct], timeout: 1m30s}}\n",
		"pages":   "calls: {catalog: {operations: [getProduct, createProduct], timeout: 2s, retry: {attempts: 1}}}\n",
	})
	want := []string{
		"admin-other POST v1 1m30s attempts: 1 retryOn: connect-failure,refused-stream",
		"orders-idempotent GET PUT v1 900ms attempts: 2 perTryTimeout: 250ms retryOn: connect-failure,refused-stream,reset-before-request,gateway-error",
		"orders-other POST v1 900ms attempts: 2 retryOn: connect-failure,refused-stream",
		"pages-once POST GET v1 2s attempts: 0",
		"undeclared v1 3s attempts: 0",
	}
	virtualService := meshOf(t, p, "catalog", "VirtualService", "catalog")
	if diff := cmp.Diff(want, allSent(t, virtualService)); diff != "" {
		t.Error(diff)
	}
	get := at(t, virtualService, "spec", "http", 1, "match", 0)
	if diff := cmp.Diff(map[string]any{
		"method": map[string]any{"exact": "GET"}, "uri": map[string]any{"regex": "/v1/products/[^/]+"},
		"sourceLabels": map[string]any{"app": "orders"}, "port": 8080,
	}, get); diff != "" {
		t.Error(diff)
	}
}

func TestCanaryGoesByHeaderThenByWeight(t *testing.T) {
	p := shopMesh(t, map[string]string{
		"catalog": "ingress: [listProducts]\ntraffic: {canary: {version: v2, weight: 20, header: {}}}\n",
		"orders":  "calls: {catalog: {operations: [getProduct], retry: {attempts: 1}}}\n",
	})
	virtualService := meshOf(t, p, "catalog", "VirtualService", "catalog")
	want := []string{
		"orders-once-canary GET* v2 1s attempts: 0",
		"orders-once GET v1=|||||||| v2=|| 1s attempts: 0",
		"undeclared v1 15s attempts: 0",
	}
	if diff := cmp.Diff(want, allSent(t, virtualService)); diff != "" {
		t.Error(diff)
	}
	header := at(t, virtualService, "spec", "http", 0, "match", 0, "headers")
	if diff := cmp.Diff(map[string]any{"x-canary": map[string]any{"exact": "true"}}, header); diff != "" {
		t.Error(diff)
	}
	const again = "15s attempts: 1 retryOn: connect-failure,refused-stream,reset-before-request,gateway-error"
	want = []string{"outside-idempotent-canary GET* v2 " + again, "outside-idempotent GET v1=|||||||| v2=|| " + again}
	if diff := cmp.Diff(want, allSent(t, meshOf(t, p, "catalog", "VirtualService", "catalog-ingress"))); diff != "" {
		t.Error(diff)
	}
	var subsets []any
	for _, s := range at(t, meshOf(t, p, "catalog", "DestinationRule", "catalog"), "spec", "subsets").([]any) {
		subsets = append(subsets, at(t, s, "name"), at(t, s, "labels", "version"))
	}
	if diff := cmp.Diff([]any{"v1", "v1", "v2", "v2"}, subsets); diff != "" {
		t.Error(diff)
	}
}

// TestCanaryThatIsToGoIsAskedByNobody: an abort takes its requests away in one move and its pods in the next.
func TestCanaryThatIsToGoIsAskedByNobody(t *testing.T) {
	p := shopMesh(t, map[string]string{
		"catalog": "ingress: [listProducts]\ntraffic: {canary: {version: v2, weight: 0}}\n",
		"orders":  "calls: {catalog: {operations: [getProduct], retry: {attempts: 1}}}\n",
	})
	for _, name := range []string{"catalog", "catalog-ingress"} {
		for _, r := range at(t, meshOf(t, p, "catalog", "VirtualService", name), "spec", "http").([]any) {
			destinations := at(t, r, "route").([]any)
			for _, d := range destinations {
				if at(t, d, "destination", "subset") == "v2" && (len(destinations) == 1 || at(t, d, "weight") != 0) {
					t.Errorf("the route %s leads to v2", at(t, r, "name"))
				}
			}
			if at(t, r, "mirrors") != nil {
				t.Errorf("the route %s copies requests to v2", at(t, r, "name"))
			}
		}
	}
}

func TestCopiesAreMadeOfWhatOnlyReads(t *testing.T) {
	p := shopMesh(t, map[string]string{
		"catalog": "ingress: [putProduct]\ntraffic: {canary: {version: v2, mirror: 20}}\n",
		"orders":  "calls: {catalog: {operations: [getProduct, putProduct, createProduct]}}\n",
	})
	var got []string
	for _, name := range []string{"catalog", "catalog-ingress"} {
		for _, r := range at(t, meshOf(t, p, "catalog", "VirtualService", name), "spec", "http").([]any) {
			if fields := r.(map[string]any); fields["mirrors"] != nil {
				got = append(got, fmt.Sprint(fields["name"], at(t, r, "mirrors", 0, "destination", "subset"), at(t, r, "mirrors", 0, "percentage", "value")))
			}
		}
	}
	if diff := cmp.Diff([]string{"orders-readv220"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGatewayAsksForWhatTheContractSays(t *testing.T) {
	p := shopMesh(t, map[string]string{
		"catalog": "ingress: [listProducts, getProduct, putProduct, deleteProduct]\n",
		"users":   "http: {port: 8282}\n",
	})
	hosts := []any{"shop.example.com", "shop.example.com:*", "www.shop.example.com", "www.shop.example.com:*"}
	operation := func(method string, more map[string]any, paths ...any) any {
		o := map[string]any{"hosts": hosts, "methods": []any{method}, "paths": paths}
		for k, v := range more {
			o[k] = v
		}
		return map[string]any{"operation": o}
	}
	token := []any{map[string]any{"source": map[string]any{"requestPrincipals": []any{"https://shop.example.com/*"}}}}
	scope := func(name string) any {
		return map[string]any{"key": "request.auth.claims[scope]", "values": []any{name}}
	}
	want := []any{
		map[string]any{"to": []any{
			operation("GET", map[string]any{"notPaths": []any{"/v1/products/search"}}, "/v1/products/{*}"),
			operation("GET", nil, "/v1/products"),
		}},
		map[string]any{"from": token, "to": []any{operation("DELETE", nil, "/v1/products/{*}")}},
		map[string]any{"from": token, "when": []any{scope("admin")}, "to": []any{operation("PUT", nil, "/v1/products/{*}")}},
		map[string]any{"from": token, "when": []any{scope("products:read"), scope("products:write")}, "to": []any{operation("PUT", nil, "/v1/products/{*}")}},
	}
	policy := meshOf(t, p, "catalog", "AuthorizationPolicy", "catalog-ingress")
	if diff := cmp.Diff(want, at(t, policy, "spec", "rules")); diff != "" {
		t.Error(diff)
	}
	if at(t, policy, "metadata", "namespace") != "istio-ingress" {
		t.Error("the gateway's rules must lie where it runs")
	}
	own := at(t, meshOf(t, p, "catalog", "AuthorizationPolicy", "catalog"), "spec", "rules", 0, "from", 0, "source", "principals")
	if diff := cmp.Diff([]any{"shop.local/ns/istio-ingress/sa/gateway"}, own); diff != "" {
		t.Error(diff)
	}

	jwt := at(t, meshOf(t, p, "users", "RequestAuthentication", "users"), "spec", "jwtRules", 0)
	if diff := cmp.Diff(map[string]any{
		"issuer": "https://shop.example.com", "audiences": []any{"shop"}, "forwardOriginalToken": true,
		"jwksUri": "http://users.shop.svc.cluster.local:8282/.well-known/jwks.json",
	}, jwt); diff != "" {
		t.Error(diff)
	}
	keys := at(t, meshOf(t, p, "users", "AuthorizationPolicy", "users"), "spec", "rules", 0)
	if diff := cmp.Diff([]any{"shop.local/ns/istio-ingress/sa/gateway", "shop.local/ns/shop/sa/catalog"}, at(t, keys, "from", 0, "source", "principals")); diff != "" {
		t.Error(diff)
	}
	if got := egress(t, p, "catalog"); !slices.Contains(got, "./users.shop.svc.cluster.local") {
		t.Errorf("catalog verifies tokens and does not reach the keys: %v", got)
	}
}

func TestOperationsWithATimeOfTheirOwnAreGivenItFromOutside(t *testing.T) {
	p := shopMesh(t, map[string]string{
		"catalog": "http: {timeout: 3s}\ningress: [listProducts, getProduct, createProduct, putProduct, deleteProduct]\n",
		"orders":  "calls: {catalog: {operations: [listProducts], timeout: 900ms, retry: {attempts: 1}}}\n",
	})
	contract := p.read("services/catalog/api/openapi.yaml")
	for _, id := range []string{"listProducts", "createProduct", "deleteProduct"} {
		contract = strings.Replace(contract, "{operationId: "+id+",", "{operationId: "+id+", x-timeout: 30m,", 1)
	}
	p.write("services/catalog/api/openapi.yaml", contract)
	p.sync("catalog", Inputs{}, nil)
	want := []string{
		"outside-idempotent GET PUT v1 3s attempts: 1 retryOn: connect-failure,refused-stream,reset-before-request,gateway-error",
		"outside-idempotent-30m DELETE GET v1 30m attempts: 1 retryOn: connect-failure,refused-stream,reset-before-request,gateway-error",
		"outside-other-30m POST v1 30m attempts: 1 retryOn: connect-failure,refused-stream",
	}
	if diff := cmp.Diff(want, allSent(t, meshOf(t, p, "catalog", "VirtualService", "catalog-ingress"))); diff != "" {
		t.Error(diff)
	}
	want = []string{"orders-once GET v1 900ms attempts: 0", "undeclared v1 3s attempts: 0"} // a caller says for itself how long it waits
	if diff := cmp.Diff(want, allSent(t, meshOf(t, p, "catalog", "VirtualService", "catalog"))); diff != "" {
		t.Error(diff)
	}
}

func egress(t *testing.T, p *platform, service string) []string {
	t.Helper()
	var all []string
	for _, h := range at(t, meshOf(t, p, service, "Sidecar", service), "spec", "egress", 0, "hosts").([]any) {
		all = append(all, h.(string))
	}
	return all
}

func TestExternalsAreDescribedOnceEach(t *testing.T) {
	p := shopMesh(t, map[string]string{
		"payments": "externals: [{host: api.psp.example}, {host: logs.example.com, port: 6514, tls: passthrough}]\n",
		"billing":  "externals: [{host: api.psp.example, port: 443, tls: passthrough}, {host: old.example.com, port: 8080, tls: none}]\n",
	})
	for service, want := range map[string][]string{"billing": {"api.psp.example", "old.example.com"}, "payments": {"logs.example.com"}} {
		var got []string
		for _, o := range objects(t, p.read("services/"+service+"/deploy/mesh.yaml")) {
			if o["kind"] == "ServiceEntry" {
				got = append(got, at(t, o, "metadata", "name").(string))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", service, diff)
		}
	}
	ports := at(t, meshOf(t, p, "billing", "ServiceEntry", "api.psp.example"), "spec", "ports")
	if diff := cmp.Diff([]any{
		map[string]any{"name": "http-80", "number": 80, "protocol": "HTTP", "targetPort": 443},
		map[string]any{"name": "tls-443", "number": 443, "protocol": "TLS"},
	}, ports); diff != "" {
		t.Error(diff)
	}
	settings := at(t, meshOf(t, p, "billing", "DestinationRule", "api.psp.example"), "spec", "trafficPolicy", "portLevelSettings")
	if diff := cmp.Diff([]any{map[string]any{
		"port": map[string]any{"number": 80},
		"tls":  map[string]any{"mode": "SIMPLE", "sni": "api.psp.example", "subjectAltNames": []any{"api.psp.example"}},
	}}, settings); diff != "" {
		t.Error(diff)
	}
	if meshOf(t, p, "billing", "DestinationRule", "old.example.com") != nil {
		t.Error("no TLS is to be added for old.example.com")
	}
	if diff := cmp.Diff([]string{"./api.psp.example", "./logs.example.com", "observability/collector.observability.svc.cluster.local"}, egress(t, p, "payments")); diff != "" {
		t.Error(diff)
	}
}

func TestStoresKnowWhoMayOpenThem(t *testing.T) {
	p := shopMesh(t, map[string]string{"billing": "database: {kind: postgres}\ncache: {kind: redis}\n"})
	for name, port := range map[string]string{"postgres": "5432", "redis": "6379"} {
		policy := meshOf(t, p, "billing", "AuthorizationPolicy", "billing-"+name)
		got := []any{
			at(t, policy, "metadata", "namespace"), at(t, policy, "spec", "selector", "matchLabels", "app"),
			at(t, policy, "spec", "rules", 0, "from", 0, "source", "principals", 0), at(t, policy, "spec", "rules", 0, "to", 0, "operation", "ports", 0),
		}
		if diff := cmp.Diff([]any{"data", name, "shop.local/ns/shop/sa/billing", port}, got); diff != "" {
			t.Error(diff)
		}
	}
	if meshOf(t, p, "billing", "AuthorizationPolicy", "billing-kafka") != nil {
		t.Error("billing has no events")
	}
	want := []string{"data/postgres.data.svc.cluster.local", "data/redis.data.svc.cluster.local", "observability/collector.observability.svc.cluster.local"}
	if diff := cmp.Diff(want, egress(t, p, "billing")); diff != "" {
		t.Error(diff)
	}
}

func TestAnotherServicesDeclarationChangesTheMesh(t *testing.T) {
	const orders = "calls: {catalog: {operations: [getProduct]}}\n"
	p := shopMesh(t, map[string]string{"catalog": "externals: [{host: a.example}]\n", "orders": orders})
	hash := func() string {
		files := p.sync("catalog", Inputs{}, nil)
		i := slices.IndexFunc(files, func(f plan.File) bool { return strings.HasSuffix(f.Path, "/deploy/mesh.yaml") })
		return files[i].InputHash
	}
	before := map[string]bool{hash(): true}
	for _, declared := range []string{
		"calls: {catalog: {operations: [getPrice]}}\n", "calls: {catalog: {operations: [getProduct], timeout: 2s}}\n", "externals: [{host: a.example, tls: passthrough}]\n",
	} {
		p.write("services/orders/service.yaml", "name: orders\n"+declared)
		now := hash()
		if before[now] {
			t.Errorf("%s: the catalog's rules would not be rendered again", declared)
		}
		before[now] = true
	}
	p.write("platform.yaml", p.read("platform.yaml")+"auth: {issuer: https://id.example}\n")
	if before[hash()] {
		t.Error("a new issuer of tokens: the catalog's rules would not be rendered again")
	}
}

func TestMeshNamesHostsInFull(t *testing.T) {
	p, _ := goldenPlatform(t)
	for path, file := range p.files {
		if strings.HasSuffix(path, "/deploy/mesh.yaml") {
			for line := range bytes.Lines(file.Data) {
				if name, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "host: "); ok && !strings.Contains(name, ".") {
					t.Errorf("%s: %s", path, line)
				}
			}
		}
	}
}

package cluster_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/lint/cluster"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/render"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const (
	catalogContract = `openapi: 3.0.3
info: {title: catalog, version: 1.0.0}
components: {securitySchemes: {token: {type: oauth2, flows: {clientCredentials: {tokenUrl: /token, scopes: {products:read: r, products:write: w, admin: a}}}}}}
paths:
  /v1/products:
    get: {operationId: listProducts, x-timeout: 30m, responses: {default: {description: d}}}
    post: {operationId: createProduct, security: [{token: [products:write]}], responses: {default: {description: d}}}
  /v1/products/search:
    get: {operationId: searchProducts, responses: {default: {description: d}}}
  /v1/products/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getProduct, responses: {default: {description: d}}}
    put: {operationId: putProduct, security: [{token: [products:write, products:read]}, {token: [admin]}], responses: {default: {description: d}}}
`
	otherContract = `openapi: 3.0.3
info: {title: other, version: 1.0.0}
paths:
  /v1/people/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getPerson, responses: {default: {description: d}}}
`
	issueToken = `  /oauth/token:
    post: {operationId: issueToken, responses: {default: {description: d}}}
`
)

// shop is a platform in which everything occurs that the mesh is made of.
func shop(t testing.TB) (*spec.Model, []plan.File) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range map[string]string{
		"go.mod":        "module example.com/shop\n",
		"platform.yaml": "name: shop\ntrustDomain: shop.local\ngateway: {hosts: [shop.example.com, www.shop.example.com]}\n",
		"services/catalog/service.yaml": "name: catalog\ningress: [listProducts, getProduct, createProduct, putProduct]\ndatabase: {kind: postgres}\ncache: {kind: redis}\n" +
			"events: {publishes: [product.created.v1]}\ntraffic: {canary: {version: v2, weight: 10, header: {}, mirror: 5}}\n",
		"services/catalog/api/openapi.yaml": catalogContract,
		"services/orders/service.yaml": "name: orders\ncalls:\n  catalog: {operations: [getProduct, createProduct], timeout: 800ms, retry: {attempts: 2, perTry: 300ms}}\n  users: {operations: [getPerson]}\n" +
			"externals: [{host: a.example}, {host: b.example, port: 6514, tls: passthrough}, {host: c.example, port: 8080, tls: none}]\nevents: {consumes: [product.created.v1]}\n",
		"services/orders/api/openapi.yaml":         strings.ReplaceAll(otherContract, "erson", "older"),
		"services/users/service.yaml":              "name: users\n",
		"services/users/api/openapi.yaml":          otherContract + issueToken,
		"contracts/events/product.created.v1.json": `{"type": "object", "properties": {"id": {"type": "string"}}}`,
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	m, err := spec.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	r, err := render.New()
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.Platform(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Services {
		more, err := r.Service(m, s.Name, render.Inputs{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	return m, files
}

func TestRenderedPlatformIsSound(t *testing.T) {
	m, files := shop(t)
	if problems := cluster.Check(m, files); len(problems) > 0 {
		t.Error(problems)
	}
}

// fault is a mutation of what the templates make.
type fault struct {
	what string // for the table
	file string
	// after is a text that stands before the place, such as the kind of the object.
	after    string
	old, new string
	// want is a part of the message, or what finds the fault where only traffic can.
	want   string
	others bool // all occurrences after that text
}

const (
	catalogMesh = "services/catalog/deploy/mesh.yaml"
	catalogLoad = "services/catalog/deploy/workload.yaml"
	ordersMesh  = "services/orders/deploy/mesh.yaml"
	usersMesh   = "services/users/deploy/mesh.yaml"
	istiod      = "mesh/istio/istiod.yaml"

	policyKind = "kind: AuthorizationPolicy"
	routeKind  = "kind: VirtualService"
	ruleKind   = "kind: DestinationRule"
	ordersCall = "- name: orders-idempotent\n"
	ordersRead = "- name: orders-read\n"
	ordersPost = "- name: orders-other\n"
	gateway    = "namespace: istio-ingress"
)

// denial goes before the first policy of users.
const denial = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: users-denial, namespace: shop}
spec:
  selector: {matchLabels: {app: users}}
  action: DENY
  rules:
    - to: [{operation: {paths: ["/v1/people/*"]}}]
---
apiVersion: security.istio.io/v1
`

var faults = []fault{
	// Types and schemas.
	{what: "a field that Istio does not know", file: catalogMesh, after: routeKind, old: "timeout:", new: "timeOut:", want: `timeOut`},
	{what: "a value that Istio does not know", file: catalogMesh, after: ruleKind, old: "LEAST_REQUEST", new: "LEAST", want: `LEAST`},
	{what: "a value that only the custom resource's schema refuses", file: usersMesh, after: "kind: RequestAuthentication", old: "- issuer: https://shop.example.com", new: "- issuer: \"\"", want: "spec.jwtRules.0.issuer"},
	{what: "a field that Kubernetes does not know", file: catalogLoad, old: "containerPort: 8080", new: "containerport: 8080", want: `containerport`},
	{what: "a kind of a version that is not there", file: catalogMesh, old: "security.istio.io/v1\n", new: "security.istio.io/v2\n", want: "there is no kind AuthorizationPolicy of security.istio.io/v2"},
	{what: "a number where a name must be", file: catalogLoad, old: "serviceAccountName: catalog", new: "serviceAccountName: 7", want: "serviceAccountName"},

	// Who may call what.
	{what: "policy dropped", file: usersMesh, after: policyKind, old: "\n    - from: # services/orders/service.yaml: calls.users\n        - source:\n            principals:\n              - shop.local/ns/shop/sa/orders\n      to:\n        - operation: # getPerson\n            ports: [\"8080\"]\n            methods: [GET]\n            paths:\n              - \"/v1/people/{*}\"", new: "",
		want: "nothing lets in shop.local/ns/shop/sa/orders: GET /v1/people/{*} on port 8080, which is declared"},
	{what: "path widened", file: catalogMesh, after: policyKind, old: `- "/v1/products"`, new: `- "/v1/products*"`, want: "lets in what nothing declares: shop.local/ns/shop/sa/orders: POST /v1/products* on port 8080"},
	{what: "method added", file: catalogMesh, after: policyKind, old: "methods: [POST]", new: "methods: [POST, DELETE]", want: "lets in what nothing declares: shop.local/ns/shop/sa/orders: DELETE /v1/products"},
	{what: "port left out", file: usersMesh, after: policyKind, old: "ports: [\"8080\"]\n            ", new: "", want: "on port any"},
	{what: "neighbouring operation no longer excepted", file: catalogMesh, after: policyKind, old: "            notPaths: # operations that are not declared\n              - \"/v1/products/search\"\n", new: "", want: "the path of getProduct also lets in searchProducts"},
	{what: "anybody instead of the caller", file: usersMesh, after: policyKind, old: "- from: # services/orders/service.yaml: calls.users\n        - source:\n            principals:\n              - shop.local/ns/shop/sa/orders\n      to:", new: "- to:", want: "lets in what nothing declares: anybody"},
	{what: "principal of another trust domain", file: usersMesh, after: policyKind, old: "shop.local/ns/shop/sa/orders", new: "other.local/ns/shop/sa/orders", want: "is of another trust domain"},
	{what: "principal that is nobody's", file: usersMesh, after: policyKind, old: "sa/orders", new: "sa/order", want: "there is no service account order in shop"},
	{what: "selector that picks no pods", file: usersMesh, after: policyKind, old: "app: users\n  action", new: "app: user\n  action", want: "selects app: user, and no pods in shop have that"},
	{what: "port that the pods do not have", file: usersMesh, after: policyKind, old: `ports: ["8080"]`, new: `ports: ["8081"]`, want: "have no port 8081"},
	{what: "allow-nothing removed", file: "mesh/base/authorization.yaml", old: "name: allow-nothing\n  namespace: istio-system", new: "name: allow-nothing\n  namespace: observability", want: "lets nothing in, so pods without a policy of their own are open to all"},
	{what: "a rule in allow-nothing", file: "mesh/base/authorization.yaml", old: "spec: {}", new: "spec: {rules: [{}]}", want: "lets requests in to every namespace"},
	{what: "STRICT removed", file: "mesh/base/peer-authentication.yaml", old: "STRICT", new: "PERMISSIVE", want: "mtls.mode must be STRICT"},
	{what: "mutual TLS for some pods only", file: "mesh/base/peer-authentication.yaml", old: "spec:\n", new: "spec:\n  selector: {matchLabels: {app: istiod}}\n", want: "selects app: istiod"},
	{what: "a store open to another service", file: catalogMesh, after: "name: catalog-redis", old: "sa/catalog", new: "sa/users", want: "lets in what nothing declares: shop.local/ns/shop/sa/users"},

	// Who knows whom.
	{what: "REGISTRY_ONLY removed from a service", file: ordersMesh, after: "kind: Sidecar", old: "  outboundTrafficPolicy:\n    mode: REGISTRY_ONLY\n", new: "", want: "it must be REGISTRY_ONLY"},
	{what: "REGISTRY_ONLY removed from the mesh", file: istiod, old: "    mode: REGISTRY_ONLY", new: "    mode: ALLOW_ANY", want: "its mode must be REGISTRY_ONLY"},
	{what: "Sidecar host widened", file: ordersMesh, after: "kind: Sidecar", old: "./catalog.shop.svc.cluster.local", new: "./*", want: "opens more than one host"},
	{what: "Sidecar knows an undeclared service", file: usersMesh, after: "kind: Sidecar", old: "egress:\n    - hosts:\n", new: "egress:\n    - hosts:\n        - ./catalog.shop.svc.cluster.local\n", want: "the sidecar of users knows ./catalog.shop.svc.cluster.local, which nothing declares"},
	{what: "Sidecar forgets a callee", file: ordersMesh, after: "kind: Sidecar", old: "        - ./users.shop.svc.cluster.local # calls.users\n", new: "", want: "the sidecar of orders does not know ./users.shop.svc.cluster.local"},
	{what: "network closed to a caller", file: "services/users/deploy/workload.yaml", after: "kind: NetworkPolicy", old: "app: orders", new: "app: catalog", want: "the network lets in no connection from orders to users"},
	{what: "network open to an undeclared caller", file: catalogLoad, after: "kind: NetworkPolicy", old: "app: orders", new: "app: users", want: `the network connects catalog with "users", which nothing declares`},

	// How requests are sent.
	{what: "host that is no FQDN", file: usersMesh, after: routeKind, old: "host: users.shop.svc.cluster.local", new: "host: users", want: "the host users is a short name"},
	{what: "host that is not there", file: usersMesh, after: routeKind, old: "host: users.shop.svc", new: "host: users.shops.svc", want: "there is no host users.shops.svc.cluster.local"},
	{what: "subset typo", file: usersMesh, after: routeKind, old: "subset: v1", new: "subset: v01", want: "has no subset v01"},
	{what: "subset of no pods", file: usersMesh, after: ruleKind, old: "version: v1", new: "version: v3", want: "the subset v1 is of pods with app: users, version: v3, and there are none"},
	{what: "wrong port", file: usersMesh, after: routeKind, old: "number: 8080", new: "number: 80", want: "users.shop.svc.cluster.local has no port 80"},
	{what: "wrong port name in the Service", file: catalogLoad, after: "kind: Service\n", old: "- name: http\n", new: "- name: web\n", want: "has no port named http, so the mesh would not read its requests"},
	{what: "weights that do not add up", file: catalogMesh, after: routeKind, old: "weight: 90", new: "weight: 80", want: "add up to 90, not 100"},
	{what: "weights that are not the declared ones", file: catalogMesh, after: routeKind, old: "          weight: 90\n        - destination:\n            host: catalog.shop.svc.cluster.local\n            subset: v2\n            port:\n              number: 8080\n          weight: 10", new: "          weight: 10\n        - destination:\n            host: catalog.shop.svc.cluster.local\n            subset: v2\n            port:\n              number: 8080\n          weight: 90", want: "the canary gets 90 %"},
	{what: "copies of what writes", file: catalogMesh, after: ordersPost, old: "      timeout: 800ms", new: "      mirrors:\n        - destination:\n            host: catalog.shop.svc.cluster.local\n            subset: v2\n            port:\n              number: 8080\n      timeout: 800ms", want: "createProduct would be done twice"},
	{what: "copies of other share than declared", file: catalogMesh, after: ordersRead, old: "            value: 5\n", new: "            value: 50\n", want: "the canary gets a copy of 50 %"},
	{what: "canary's header forgotten", file: catalogMesh, after: routeKind, old: "x-canary:", new: "x-canaries:", others: true, want: "to the canary by its header"},
	{what: "retryOn missing", file: usersMesh, after: ordersCall, old: "        retryOn: connect-failure,refused-stream,reset-before-request,gateway-error\n", new: "", want: "does not say when a request is sent again"},
	{what: "retries missing", file: usersMesh, after: ordersCall, old: "      retries:\n        attempts: 1\n        perTryTimeout: 500ms\n        retryOn: connect-failure,refused-stream,reset-before-request,gateway-error\n", new: "", want: "does not say how often a request is sent"},
	{what: "retry of a POST on 5xx", file: catalogMesh, after: ordersPost, old: "retryOn: connect-failure,refused-stream", new: "retryOn: connect-failure,refused-stream,gateway-error", want: "createProduct is not idempotent (POST)"},
	{what: "Istio's default retries for the rest", file: istiod, old: "defaultHttpRetryPolicy:\n    attempts: 0", new: "defaultHttpRetryPolicy:\n    attempts: 2", want: "defaultHttpRetryPolicy must say attempts: 0"},
	{what: "timeout too short for its attempts", file: catalogMesh, after: ordersRead, old: "timeout: 800ms", new: "timeout: 500ms", want: "has 500ms in all, but its 2 attempts of 300ms each need 600ms"},
	{what: "timeout that is not the declared one", file: catalogMesh, after: ordersPost, old: "timeout: 800ms", new: "timeout: 8s", want: "createProduct may take 8s"},
	{what: "an operation's own timeout left out", file: catalogMesh, after: "- name: outside-read-30m\n", old: "timeout: 30m", new: "timeout: 15s", want: "listProducts may take 15s by the route outside-read-30m, but 30m0s is declared"},
	{what: "timeout missing", file: catalogMesh, after: ordersPost, old: "      timeout: 800ms", new: "     ", want: "has no timeout"},
	{what: "route of one operation dropped", file: usersMesh, after: ordersCall, old: `regex: "/v1/people/[^/]+"`, new: `regex: "/v1/persons/[^/]+"`, want: "no route to users is for getPerson of orders"},
	{what: "regular expression that is not anchored as Envoy does", file: usersMesh, after: ordersCall, old: `regex: "/v1/people/[^/]+"`, new: `regex: "/v1/people"`, want: "no route to users is for getPerson of orders"},
	{what: "mutual TLS to a service switched off", file: usersMesh, after: ruleKind, old: "mode: ISTIO_MUTUAL", new: "mode: DISABLE", want: "must be ISTIO_MUTUAL"},
	{what: "outlier detection removed", file: usersMesh, after: ruleKind, old: "    outlierDetection: # traffic.outlier\n      consecutive5xxErrors: 5\n      interval: 10s\n      baseEjectionTime: 30s\n      maxEjectionPercent: 50\n", new: "", want: "not put aside as traffic.outlier says"},
	{what: "connections not bounded", file: usersMesh, after: ruleKind, old: "        maxConnections: 100\n", new: "", want: "not bounded as traffic.pool says"},
	{what: "rule not for the gateway", file: catalogMesh, after: ruleKind, old: `[".", istio-ingress]`, new: `["."]`, want: "is not for istio-ingress"},

	// From outside, and to the outside.
	{what: "gateway policy dropped", file: catalogMesh, after: "name: catalog-ingress\n  " + gateway, old: "action: ALLOW", new: "action: AUDIT", want: "the gateway does not let in GET /v1/products for anybody"},
	{what: "no token asked for", file: catalogMesh, after: "name: catalog-ingress\n  " + gateway, old: "requestPrincipals: # platform.yaml: auth.issuer\n              - https://shop.example.com/*", new: "namespaces: [shop]", others: true, want: "lets in what nothing declares"},
	{what: "scope dropped", file: catalogMesh, after: "name: catalog-ingress\n  " + gateway, old: "          values: [\"products:read\"]\n        - key: request.auth.claims[scope]\n", new: "", want: "the gateway does not let in PUT /v1/products/{*} for a token of https://shop.example.com/* with products:read and products:write"},
	{what: "token of another issuer", file: usersMesh, after: "kind: RequestAuthentication", old: "issuer: https://shop.example.com", new: "issuer: https://evil.example.com", want: "believes tokens of https://evil.example.com"},
	{what: "keys from nowhere", file: usersMesh, after: "kind: RequestAuthentication", old: "http://users.shop.svc", new: "http://user.shop.svc", want: "there is no host user.shop.svc.cluster.local"},
	{what: "route at a gateway that is not there", file: catalogMesh, after: "name: catalog-ingress", old: "istio-ingress/gateway", new: "istio-ingress/gate", want: "there is no Gateway istio-ingress/gate"},
	{what: "a plain host that is not this machine's", file: "mesh/environments/kind/dashboards.yaml", old: "observability/grafana.localhost", new: "observability/grafana.example.com", want: "takes requests on port 80 without TLS"},
	{what: "a dashboard's host that its gateway does not have", file: "mesh/environments/kind/dashboards.yaml", old: "observability/grafana.localhost", new: "observability/graphs.localhost", want: "the gateway does not answer to grafana.localhost"},
	{what: "redirect to TLS removed", file: "mesh/base/gateway.yaml", old: "httpsRedirect: true", new: "httpsRedirect: false", want: "takes requests on port 80 without TLS"},
	{what: "certificate of an external not checked", file: ordersMesh, after: ruleKind, old: "          subjectAltNames:\n            - a.example\n", new: "", want: "does not say how TLS is added and checked"},
	{what: "external on another port", file: ordersMesh, after: "kind: ServiceEntry", old: "targetPort: 443", new: "targetPort: 8443", want: "no ServiceEntry has a.example with port 443 as it is declared"},
	{what: "a port with two meanings", file: ordersMesh, after: "kind: ServiceEntry", old: "    - name: http-80\n", new: "    - name: http-81\n      number: 80\n      protocol: HTTP\n    - name: http-80\n", want: "stands twice"},

	// What is applied.
	{what: "file that no kustomization lists", file: "mesh/base/kustomization.yaml", old: "  - sidecar.yaml\n", new: "", want: "no kustomization lists sidecar.yaml"},
	{what: "kustomization of a file that is not there", file: "services/users/deploy/kustomization.yaml", old: "mesh.yaml", new: "meshes.yaml", want: "there is no meshes.yaml"},
	{what: "kustomization of a folder that is not there", file: "mesh/environments/kind/kustomization.yaml", old: "../../base", new: "../../bas", want: "there is no ../../bas"},
	{what: "two objects of one name", file: catalogMesh, after: "kind: AuthorizationPolicy", old: "name: catalog-redis", new: "name: catalog-postgres", want: "is in services/catalog/deploy/mesh.yaml, too"},
	{what: "namespace that is not there", file: catalogMesh, after: ruleKind, old: "namespace: shop", new: "namespace: shops", want: `which is not there`},
	{what: "telemetry to a provider that is not there", file: "mesh/base/telemetry.yaml", old: "name: otel", new: "name: zipkin", want: "there is no telemetry provider zipkin"},

	// What else has a check of its own.
	{what: "an object without a name", file: usersMesh, after: ruleKind, old: "  name: users\n", new: "", want: "has no name"},
	{what: "a key twice", file: usersMesh, after: ruleKind, old: "  exportTo:", new: "  host: users.shop.svc.cluster.local\n  exportTo:", want: "already defined"},
	{what: "environment without the base", file: "mesh/environments/production/kustomization.yaml", old: "- ../../base", new: "- ../kind/service", want: "mesh/environments/production does not lead to mesh/base"},
	{what: "values for a chart in a kustomization", file: "mesh/environments/kind/kustomization.yaml", old: "- ../../base", new: "- ../../base\n  - istio/istiod.yaml", want: "holds no Kubernetes object"},
	{what: "network closed to a callee", file: "services/orders/deploy/workload.yaml", after: "kind: NetworkPolicy", old: "app: users", new: "app: catalog", want: "the network lets out no connection from orders to users"},
	{what: "network open to a namespace that is not there", file: catalogLoad, after: "kind: NetworkPolicy", old: "metadata.name: data", new: "metadata.name: store", want: `names the namespace "store", which is not there`},
	{what: "network open to pods that are not there", file: catalogLoad, after: "kind: NetworkPolicy", old: "app: orders", new: "app: order", want: "names pods with app: order"},
	{what: "another trust domain in the mesh", file: istiod, old: "trustDomain: shop.local", new: "trustDomain: cluster.local", want: `the trust domain of the mesh is "cluster.local"`},
	{what: "mesh configuration that Istio does not know", file: istiod, old: "trustDomain: shop.local", new: "trustdomain: shop.local", want: "the mesh configuration cannot be read"},
	{what: "paths not normalized", file: istiod, old: "DECODE_AND_MERGE_SLASHES", new: "NONE", want: "must be DECODE_AND_MERGE_SLASHES"},
	{what: "a port without mutual TLS", file: "mesh/base/peer-authentication.yaml", old: "    mode: STRICT", new: "    mode: STRICT\n  selector: {matchLabels: {app: x}}\n  portLevelMtls: {\"8080\": {mode: DISABLE}}", want: "lets in connections to a port that do not show who they are from"},
	{what: "REGISTRY_ONLY removed from all sidecars", file: "mesh/base/sidecar.yaml", old: "REGISTRY_ONLY", new: "ALLOW_ANY", want: "sidecars without a Sidecar of their own"},
	{what: "every sidecar knows a service", file: "mesh/base/sidecar.yaml", old: "- istio-system/*", new: "- istio-system/*\n        - shop/users.shop.svc.cluster.local", want: "every sidecar knows shop/users.shop.svc.cluster.local"},
	{what: "default Sidecar in another namespace", file: "mesh/base/sidecar.yaml", old: "namespace: istio-system", new: "namespace: data", want: "there is no Sidecar in istio-system"},
	{what: "Sidecar host without a namespace", file: catalogMesh, after: "kind: Sidecar", old: "- data/", new: "- ", others: true, want: "is not written as namespace/host"},
	{what: "Sidecar host in another namespace", file: catalogMesh, after: "kind: Sidecar", old: "- data/postgres", new: "- shop/postgres", want: "is in the namespace data"},
	{what: "neighbouring operation no longer excepted at the gateway", file: catalogMesh, after: "name: catalog-ingress\n  " + gateway, old: "            notPaths: # operations that are not declared\n              - \"/v1/products/search\"\n", new: "", want: "the path of getProduct also lets in searchProducts of catalog"},
	{what: "gateway policy for all hosts", file: catalogMesh, after: "name: catalog-ingress\n  " + gateway, old: "              - www.shop.example.com\n", new: "", want: "but gateway.hosts gives"},
	{what: "gateway that verifies no tokens", file: usersMesh, after: "kind: RequestAuthentication", old: "namespace: istio-ingress", new: "namespace: observability", want: "the gateway verifies no tokens"},
	{what: "keys without a port", file: usersMesh, after: "kind: RequestAuthentication", old: ":8080/.well-known", new: "/.well-known", want: "is no URL with a port"},
	{what: "a store open to anybody", file: catalogMesh, after: "name: catalog-redis", old: "- from:\n        - source:\n            principals:\n              - shop.local/ns/shop/sa/catalog\n      to:", new: "- to:", want: "lets anybody in"},
	{what: "route for a host that is not the gateway's", file: catalogMesh, after: "name: catalog-ingress", old: "- shop.example.com", new: "- shop.example.org", want: "the gateway does not answer to shop.example.org"},
	{what: "route for a caller that is not there", file: usersMesh, after: ordersCall, old: "app: orders", new: "app: order", want: "no pods in shop have app: order"},
	{what: "destination without a port", file: usersMesh, after: routeKind, old: "            port:\n              number: 8080\n", new: "", want: "has several ports, and the destination names none"},
	{what: "policy for a namespace that is not there", file: "mesh/base/authorization.yaml", old: "namespaces: [shop,", new: "namespaces: [shops,", want: "there is no namespace shops"},
	{what: "principal of many", file: usersMesh, after: policyKind, old: "sa/orders", new: "sa/*", want: "is not written as"},
	{what: "route at the gateway dropped", file: catalogMesh, after: "name: catalog-ingress", old: "    - istio-ingress/gateway", new: "    - mesh", want: "there is no route to catalog for getProduct of outside"},
	{what: "time of an attempt that is not the declared one", file: usersMesh, after: ordersCall, old: "perTryTimeout: 500ms", new: "perTryTimeout: 50ms", want: "an attempt at getPerson has 50ms"},
	{what: "a call let in on a condition", file: usersMesh, after: policyKind, old: "sa/orders\n      to:", new: "sa/orders\n      when: [{key: source.ip, values: [10.0.0.0/8]}]\n      to:", want: "asks for source.ip, which nothing declares"},
	{what: "a method taken out again", file: usersMesh, after: policyKind, old: "methods: [GET]", new: "methods: [GET]\n            notMethods: [GET]", want: "asks for notMethods: GET, which nothing declares"},
	{what: "a call let in for one host", file: usersMesh, after: policyKind, old: "methods: [GET]", new: "methods: [GET]\n            hosts: [users.example]", want: "asks for the hosts users.example, which nothing declares"},
	{what: "a namespace beside the principal", file: "services/catalog/deploy/mesh.yaml", after: "name: catalog-redis", old: "- source:\n            principals:", new: "- source:\n            namespaces: [shop]\n            principals:", want: "asks for namespaces: shop, which nothing declares"},
	{what: "a refusal of what is declared", file: usersMesh, old: "apiVersion: security.istio.io/v1\n", new: denial, want: "refuses what is declared of users: GET /v1/people/{*} of shop.local/ns/shop/sa/orders"},
	{what: "a refusal at the gateway", file: "mesh/base/gateway.yaml", old: "  action: ALLOW\n  rules:\n    - to:\n        - operation:\n            ports: [\"80\"]", new: "  action: DENY\n  rules:\n    - to:\n        - operation:\n            methods: [GET]", want: "refuses what is declared of the gateway: GET /v1/products of anybody"},
	{what: "a provider that is not there asked about requests", file: usersMesh, after: policyKind, old: "action: ALLOW\n", new: "action: CUSTOM\n  provider: {name: opa}\n", want: "there is no provider opa"},
	{what: "network open to everybody", file: catalogLoad, after: "kind: NetworkPolicy", old: "    - from: # services/orders/service.yaml: calls.catalog\n        - podSelector:\n            matchLabels:\n              app: orders\n      ports:", new: "    - ports:", want: "the network connects catalog with everybody: the rule names no peers"},
	{what: "network open to all namespaces", file: catalogLoad, after: "kind: NetworkPolicy", old: "namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: istio-ingress", new: "namespaceSelector: {}", want: "with namespaces that are not named"},
	{what: "network open to addresses", file: catalogLoad, after: "kind: NetworkPolicy", old: "- podSelector:\n            matchLabels:\n              app: orders", new: "- ipBlock: {cidr: 0.0.0.0/0}", want: "the network connects catalog with 0.0.0.0/0, which nothing declares"},
	{what: "network bounded in one direction", file: catalogLoad, after: "kind: NetworkPolicy", old: "[Ingress, Egress]", new: "[Egress]", want: "no NetworkPolicy is for its Ingress"},
	{what: "pods without a sidecar", file: catalogLoad, after: "  template:", old: "      labels:\n", new: "      labels:\n        sidecar.istio.io/inject: \"false\"\n", want: "go past its sidecar"},
	{what: "a port that goes past the sidecar", file: catalogLoad, after: "  template:", old: "      labels:\n", new: "      annotations: {traffic.sidecar.istio.io/excludeInboundPorts: \"8080\"}\n      labels:\n", want: "go past its sidecar"},
	{what: "a namespace without sidecars", file: "mesh/base/namespaces.yaml", old: "istio-injection: enabled", new: "istio-injection: disabled", want: "its label istio-injection must be enabled"},

	// What only traffic shows.
	{what: "istiod fetches the keys of tokens, and is refused", file: istiod, old: "PILOT_JWT_ENABLE_REMOTE_JWKS: envoy", new: "PILOT_JWT_ENABLE_REMOTE_JWKS: istiod", want: ""},
	{what: "rate limit not enforced", file: "mesh/base/gateway.yaml", after: "filter_enforced", old: "numerator: 100", new: "numerator: 0", want: ""},
	{what: "local rate limit after the router, where it does nothing", file: "mesh/base/gateway.yaml", old: "INSERT_FIRST", new: "ADD", want: ""},
	{what: "a pool that is too small for the load", file: usersMesh, after: ruleKind, old: "connectTimeout: 1s", new: "connectTimeout: 1ms", want: ""},
	{what: "a new replica gets its full share at once", file: usersMesh, after: ruleKind, old: "duration: 30s", new: "duration: 1s", want: ""},
}

func (f fault) apply(t *testing.T, files []plan.File) []plan.File {
	t.Helper()
	files = slices.Clone(files)
	i := slices.IndexFunc(files, func(file plan.File) bool { return file.Path == f.file })
	if i < 0 {
		t.Fatalf("%s is not rendered", f.file)
	}
	before, rest, found := strings.Cut(string(files[i].Content), f.after)
	times := 1
	if f.others {
		times = -1
	}
	mutated := strings.Replace(rest, f.old, f.new, times)
	if !found || mutated == rest {
		t.Fatalf("%s does not have %q after %q", f.file, f.old, f.after)
	}
	files[i].Content = []byte(before + f.after + mutated)
	return files
}

func TestSeededFaultsAreFound(t *testing.T) {
	checked := checkedFaults(t)
	for i, f := range faults {
		t.Run(f.what, func(t *testing.T) {
			problems := checked[i]
			switch {
			case f.want == "" && len(problems) > 0:
				t.Errorf("found at the desk after all: say so in the table: %v", problems)
			case f.want == "":
			case !slices.ContainsFunc(problems, func(p spec.Problem) bool { return strings.Contains(p.Message, f.want) }):
				t.Errorf("not found: %q, only %v", f.want, problems)
			case !slices.ContainsFunc(problems, func(p spec.Problem) bool { return p.Line > 0 && p.Remedy != "" }):
				t.Errorf("no place or remedy: %v", problems)
			}
		})
	}
}

// faultProblems are what is found of each of faults, in its order: two tests look at them, and finding them takes a while.
var faultProblems struct {
	sync.Once
	of []spec.Problems
}

func checkedFaults(t *testing.T) []spec.Problems {
	t.Helper()
	faultProblems.Do(func() {
		m, files := shop(t)
		for _, f := range faults {
			faultProblems.of = append(faultProblems.of, check(m, f.apply(t, files)))
		}
	})
	if len(faultProblems.of) != len(faults) {
		t.Fatal("the faults could not be checked: see the test before")
	}
	return faultProblems.of
}

// check is what scaffold check makes of rendered files.
func check(m *spec.Model, files []plan.File) spec.Problems {
	return append(lint.Check(m, files), cluster.Check(m, files)...)
}

func BenchmarkCheck(b *testing.B) {
	m, files := shop(b)
	for b.Loop() {
		if problems := cluster.Check(m, files); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

var update = flag.Bool("update", false, "write the table of faults into docs/mesh.md")

// TestDocumentListsTheFaults keeps the table in docs/mesh.md.
func TestDocumentListsTheFaults(t *testing.T) {
	const begin, end, file = "<!-- faults -->\n", "<!-- /faults -->\n", "../../../docs/mesh.md"
	checked := checkedFaults(t)
	var found, unfound strings.Builder
	for i, f := range faults {
		if f.want == "" {
			fmt.Fprintf(&unfound, "- %s (`%s`)\n", f.what, f.file)
			continue
		}
		for _, p := range checked[i] {
			if strings.Contains(p.Message, f.want) {
				fmt.Fprintf(&found, "| %s | %s |\n", f.what, strings.NewReplacer("|", "\\|", "*", "\\*", "<", "&lt;").Replace(strings.Join(strings.Fields(p.Message), " ")))
				break
			}
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("docs/mesh.md has no place for the faults: %s%s", begin, end)
	}
	want := before + begin + "\n| fault | what `scaffold check` says |\n|---|---|\n" + found.String() +
		"\nOf these, it says nothing, and only traffic can tell:\n\n" + unfound.String() + "\n" + end + after
	switch {
	case want == string(text):
	case !*update:
		t.Error("the faults in docs/mesh.md are not those of the test: run go test ./internal/lint/cluster -run Document -update")
	default:
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const securedContract = `openapi: 3.0.3
info: {title: a, version: 1.0.0}
components: {securitySchemes: {token: {type: oauth2, flows: {clientCredentials: {scopes: {orders:read: r}}}}}}
paths:
  /v1/{id}:
    get: {operationId: getOrder, security: [{token: [orders:read]}]}
`

// issuingContract is that of a service that issues tokens.
const issuingContract = `openapi: 3.0.3
info: {title: a, version: 1.0.0}
components: {securitySchemes: {token: {type: http, scheme: bearer}}}
paths:
  /oauth/token:
    post: {operationId: issueToken}
  /.well-known/jwks.json:
    get: {operationId: getJwks}
  /v1/sessions/login:
    post: {operationId: openSession}
  /v1/users/{id}:
    get: {operationId: getUser, security: [{token: []}]}
`

func TestFaultsOfTheMeshAreFound(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"canary of the same version", map[string]string{catalogFile: "name: catalog\nevents: {publishes: [product.created.v1]}\ntraffic: {canary: {version: v1}}\n"},
			`services/catalog/service.yaml:3:29: the canary's version is v1, which is that of the other pods
    call it v2`},
		{"issuer that is not there", map[string]string{"platform.yaml": "name: shop\nauth: {service: user}\n"},
			`platform.yaml:1:1: auth.service is user, and there is no such service
    did you mean users?`},
		{"namespace of the platform's own", map[string]string{"platform.yaml": "name: shop\nnamespace: data\n"},
			`platform.yaml:1:1: the namespace data is taken: a part of the platform has it
    choose another`},
		{"one request for two services", map[string]string{
			ordersFile:                         "name: orders\ningress: [getOrder]\n",
			"services/orders/api/openapi.yaml": "openapi: 3.0.3\ninfo: {title: a, version: 1.0.0}\npaths:\n  /v1/{id}:\n    get: {operationId: getOrder}\n"},
			`services/orders/service.yaml:2:11: GET /v1/{id} of orders and /v1/getProduct of catalog can be the same request at the gateway
    give one of the two another path`},
		{"one port, two meanings", map[string]string{
			catalogFile: "name: catalog\nevents: {publishes: [product.created.v1]}\nexternals: [{host: a.example}]\n",
			ordersFile:  "name: orders\nexternals: [{host: a.example, port: 80, tls: none}]\n"},
			`services/orders/service.yaml:2:13: orders declares port 80 of a.example with tls: none, and catalog port 443 with tls: originate: in the mesh, both are port 80
    programs reach what the mesh adds TLS to at port 80, so that can be one port of a host: write tls: passthrough for the other, and let the program speak TLS`},
		{"TLS added on two ports", map[string]string{ordersFile: "name: orders\nexternals: [{host: a.example}, {host: a.example, port: 8443}]\n"},
			`services/orders/service.yaml:2:32: orders declares port 8443 of a.example with tls: originate, and orders port 443 with tls: originate: in the mesh, both are port 80
    programs reach what the mesh adds TLS to at port 80, so that can be one port of a host: write tls: passthrough for the other, and let the program speak TLS`},
		{"another service's port", map[string]string{
			catalogFile: "name: catalog\nevents: {publishes: [product.created.v1]}\nexternals: [{host: a.example}, {host: a.example, port: 8443, tls: passthrough}]\n",
			ordersFile:  "name: orders\nexternals: [{host: b.example}, {host: a.example}]\n"},
			`services/orders/service.yaml:2:32: orders would reach port 8443 of a.example, which only catalog declares: the mesh knows a host's ports for all who may reach it
    declare the same ports of a.example in both, or reach one of them by another name`},
		{"the gateway from inside", map[string]string{ordersFile: "name: orders\nexternals: [{host: shop.example}]\n", "platform.yaml": "name: shop\ngateway: {hosts: [shop.example]}\n"},
			`services/orders/service.yaml:2:13: shop.example is the platform's own gateway
    declare a call instead`},
		{"a store as if it were outside", map[string]string{ordersFile: "name: orders\nexternals: [{host: postgres.data, port: 5432, tls: none}]\n"},
			`services/orders/service.yaml:2:13: postgres.data is a name inside the cluster: data is a namespace
    declare a call, or database, cache or events instead`},
		{"a service as if it were outside", map[string]string{ordersFile: "name: orders\nexternals: [{host: catalog.store}]\n", "platform.yaml": "name: shop\nnamespace: store\n"},
			`services/orders/service.yaml:2:13: catalog.store is a name inside the cluster: store is a namespace
    declare a call, or database, cache or events instead`},
		{"the pod itself as if it were outside", map[string]string{ordersFile: "name: orders\nexternals: [{host: a.localhost}]\n"},
			`services/orders/service.yaml:2:13: a.localhost is this machine
    name a host outside the cluster`},
		{"a port of the sidecar", map[string]string{ordersFile: "name: orders\nexternals: [{host: a.example, port: 15001, tls: none}]\n"},
			`services/orders/service.yaml:2:13: port 15001 is taken: the sidecar of every pod has 15000 to 15090
    reach the host by another port`},
		{"one port, two protocols", map[string]string{
			catalogFile: "name: catalog\nevents: {publishes: [product.created.v1]}\nexternals: [{host: a.example, tls: passthrough}]\n",
			ordersFile:  "name: orders\nexternals: [{host: a.example, tls: none}]\n"},
			`services/orders/service.yaml:2:13: orders declares port 443 of a.example with tls: none, and catalog port 443 with tls: passthrough: in the mesh, both are port 443
    write the same tls in both`},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := test.files
			if files[ordersFile] != "" {
				files[usersFile] = "name: users\n"
			}
			if diff := cmp.Diff(test.want, Check(load(t, files), nil).Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokensNeedAnIssuer(t *testing.T) {
	const remedy = "\n    name the service that issues tokens in platform.yaml: auth: {service: users}; without a name, it is users if that has the operation issueToken"
	declared := func(orders, users string) map[string]string {
		return map[string]string{
			catalogFile: "name: catalog\nevents: {publishes: [product.created.v1]}\n", ordersFile: orders, usersFile: "name: users\n",
			"services/orders/api/openapi.yaml": securedContract, "services/users/api/openapi.yaml": users,
		}
	}
	for _, test := range []struct{ name, orders, users, want string }{
		{"users issues tokens", "name: orders\ningress: [getOrder]\n", issuingContract, ""},
		{"from outside", "name: orders\ningress: [getOrder]\n", contract("getUser"),
			"services/orders/service.yaml:2:11: getOrder asks for a token, and no service issues any" + remedy},
		{"from another service", "name: orders\n", contract("getUser"),
			"services/orders/api/openapi.yaml:6:24: getOrder asks for a token, and no service issues any" + remedy},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Check(load(t, declared(test.orders, test.users)), nil).Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNobodyNeedsATokenToGetOne secures a whole contract, as one forgets that its token endpoint inherits that.
func TestNobodyNeedsATokenToGetOne(t *testing.T) {
	secured := strings.Replace(issuingContract, "paths:\n", "security: [{token: []}]\npaths:\n", 1)
	m := load(t, map[string]string{"services/users/api/openapi.yaml": secured, usersFile: "name: users\n"})
	var got []string
	for _, p := range Check(m, nil) {
		got = append(got, p.Message)
	}
	const why = " asks for a token, but it is what somebody needs who has none yet"
	if diff := cmp.Diff([]string{"issueToken" + why, "getJwks" + why, "openSession" + why}, got); diff != "" {
		t.Error(diff)
	}
	public := strings.NewReplacer("issueToken}", "issueToken, security: []}", "getJwks}", "getJwks, security: []}", "openSession}", "openSession, security: []}").Replace(secured)
	m = load(t, map[string]string{"services/users/api/openapi.yaml": public, usersFile: "name: users\n"})
	if problems := Check(m, nil); len(problems) > 0 {
		t.Error(problems)
	}
}

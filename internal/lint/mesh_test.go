package lint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const securedContract = `openapi: 3.0.3
info: {title: a, version: 1.0.0}
paths:
  /v1/{id}:
    get: {operationId: getOrder, security: [{token: [orders:read]}]}
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
	files := map[string]string{
		catalogFile: "name: catalog\nevents: {publishes: [product.created.v1]}\n", ordersFile: "name: orders\ningress: [getOrder]\n",
		"services/orders/api/openapi.yaml": securedContract,
	}
	if problems := Check(load(t, files), nil); len(problems) > 0 {
		t.Errorf("users issues tokens: %v", problems)
	}
	m := load(t, files)
	m.Services = m.Services[:2] // without users
	want := `services/orders/service.yaml:2:11: getOrder asks for a token, and no service issues any
    name the service that issues tokens in platform.yaml: auth: {service: users}`
	if diff := cmp.Diff(want, Check(m, nil).Error()); diff != "" {
		t.Error(diff)
	}
}

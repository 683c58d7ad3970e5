package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const securedContract = `openapi: 3.0.3
info: {title: a, version: 1.0.0}
security: [{token: [read]}]
components:
  securitySchemes:
    token: {type: oauth2, flows: {password: {scopes: {read: r, write: w}}, clientCredentials: {scopes: {read: r, admin: a}}}}
    other: {type: http, scheme: bearer}
paths:
  /v1/things/{id}:
    get: {operationId: getThing}
    put: {operationId: putThing, security: [{token: [write, read], other: [read]}, {token: [admin]}]}
    post: {operationId: postThing, security: []}
    patch: {operationId: patchThing, security: [{token: [write]}, {}]}
    delete: {operationId: deleteThing, security: [{token: []}]}
`

func TestSecurityOfOperations(t *testing.T) {
	c, err := ParseContract("openapi.yaml", []byte(securedContract))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string][][]string{
		"getThing":    {{"read"}},
		"putThing":    {{"read", "write"}, {"admin"}},
		"postThing":   nil,
		"patchThing":  nil,
		"deleteThing": {{}},
	} {
		if diff := cmp.Diff(want, c.Operations[id].Security); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
	if !c.Secured() {
		t.Error("the contract asks for tokens")
	}
}

func TestSecurityThatCannotBeEnforcedIsRefused(t *testing.T) {
	for old, replaced := range map[string]string{
		"security: [{token: [read]}]":      "security: token",
		"[{token: [write]}, {}]":           "[token]",
		"{token: [admin]}":                 "{token: admin}",
		"{token: [write, read]":            "{token: ['*']",
		"/v1/things/{id}:":                 "/v1/things/{id}.json:",
		"  /v1/things/{id}:\n    get:":     "  /v1/*/{id}:\n    get:",
		"  /v1/things/{id}:\n    get: {op": "  /v1/things:cancel:\n    get: {op",
	} {
		text := strings.Replace(securedContract, old, replaced, 1)
		if text == securedContract {
			t.Fatalf("%s is not in the contract", old)
		}
		if _, err := ParseContract("openapi.yaml", []byte(text)); err == nil {
			t.Errorf("%s is accepted", replaced)
		}
	}
}

func TestScopesThatNobodyDefinesAreRefused(t *testing.T) {
	for _, test := range []struct{ old, replaced, want string }{
		{"{token: [admin]}", "{token: [admim]}", `openapi.yaml:11:93: the security scheme token defines no scope admim
    did you mean admin?`},
		{"{token: [admin]}", "{tokens: [admin]}", `openapi.yaml:11:85: there is no security scheme tokens
    did you mean token?`},
		{"security: [{token: [read]}]", "security: [{token: [everything]}]", `openapi.yaml:3:21: the security scheme token defines no scope everything
    it defines: admin, read, write`},
		{"    token: {type: oauth2", "    tokens: {type: oauth2", `openapi.yaml:3:13: there is no security scheme token
    did you mean tokens?`},
	} {
		text := strings.Replace(securedContract, test.old, test.replaced, 1)
		if text == securedContract {
			t.Fatalf("%s is not in the contract", test.old)
		}
		_, err := ParseContract("openapi.yaml", []byte(text))
		if err == nil {
			t.Errorf("%s is accepted", test.replaced)
			continue
		}
		first := err.(Problems)[0].String() //nolint:errorlint // it is of this type
		if diff := cmp.Diff(test.want, first); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := ParseContract("openapi.yaml", []byte(strings.Replace(securedContract, "other: [read]", "other: [anything]", 1))); err != nil {
		t.Errorf("a scheme without a list of scopes: %v", err)
	}
}

func TestIssuerOfTokens(t *testing.T) {
	users, orders := &Service{Name: "users", Contract: &Contract{Operations: map[string]*Operation{"issueToken": {}}}}, &Service{Name: "orders"}
	guests := &Service{Name: "users", Contract: &Contract{Operations: map[string]*Operation{"listUsers": {}}}}
	for _, test := range []struct {
		platform string
		services []*Service
		want     *Service
	}{
		{"name: shop", []*Service{orders, users}, users},
		{"name: shop", []*Service{orders}, nil},
		{"name: shop", []*Service{orders, guests}, nil},
		{"name: shop\nauth: {service: users}", []*Service{orders, guests}, guests},
		{"name: shop\nauth: {service: orders}", []*Service{orders, users}, orders},
		{"name: shop\nauth: {service: accounts}", []*Service{orders, users}, nil},
	} {
		p, err := ParsePlatform("platform.yaml", []byte(test.platform))
		if err != nil {
			t.Fatal(err)
		}
		m := &Model{Platform: p, Services: test.services}
		if got := m.Issuer(); got != test.want {
			t.Errorf("%s: issuer %v", test.platform, got)
		}
		if p.Auth.Issuer != "https://shop.localhost" || p.Auth.Audience != "shop" {
			t.Errorf("%s: %+v", test.platform, p.Auth)
		}
	}
}

package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const securedContract = `openapi: 3.0.3
info: {title: a, version: 1.0.0}
security: [{token: [read]}]
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

func TestIssuerOfTokens(t *testing.T) {
	users, orders := &Service{Name: "users"}, &Service{Name: "orders"}
	for _, test := range []struct {
		platform string
		services []*Service
		want     *Service
	}{
		{"name: shop", []*Service{orders, users}, users},
		{"name: shop", []*Service{orders}, nil},
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

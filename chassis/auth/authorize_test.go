package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAuthorizeAnswersAsRFC6750Says(t *testing.T) {
	now := &clock{now: noon}
	issuer := newIssuer(t, now.Now, newKey(t, noon))
	v := newVerifier(t, issuer, now.Now)
	reader := issue(t, issuer, Grant{Subject: "ada", Scopes: []string{"orders:read"}})
	now.set(noon.Add(-time.Hour))
	old := issue(t, newIssuer(t, now.Now, newKey(t, noon.Add(-2*time.Hour))), Grant{Subject: "ada"})
	now.set(noon)

	for _, test := range []struct {
		name       string
		headers    []string
		need       [][]string
		status     int
		code, want string
	}{
		{"none", nil, [][]string{{}}, 401, "token_missing", "Bearer"},
		{"another scheme", []string{"Basic YTpi"}, [][]string{{}}, 401, "token_missing", "Bearer"},
		{"two headers", []string{"Bearer " + reader, "Bearer " + reader}, [][]string{{}}, 400, "invalid_request", `Bearer error="invalid_request"`},
		{"no token", []string{"Bearer"}, [][]string{{}}, 401, "invalid_token", "invalid_token"},
		{"two tokens", []string{"Bearer " + reader + " " + reader}, [][]string{{}}, 401, "invalid_token", "invalid_token"},
		{"control characters", []string{"Bearer a.b\"\x00.c"}, [][]string{{}}, 401, "invalid_token", "invalid_token"},
		{"unknown key", []string{"Bearer " + old}, [][]string{{}}, 401, "invalid_token", "invalid_token"},
		{"too little", []string{"Bearer " + reader}, [][]string{{"orders:read", "orders:write"}, {"admin"}}, 403, "insufficient_scope", `scope="orders:read orders:write"`},
		{"any token", []string{"Bearer " + reader}, [][]string{{}}, 0, "", ""},
		{"scope", []string{"bearer " + reader}, [][]string{{"orders:read"}}, 0, "", ""},
		{"one of two", []string{"Bearer " + reader}, [][]string{{"admin"}, {"orders:read"}}, 0, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, err := v.Authorize(t.Context(), http.Header{"Authorization": test.headers}, test.need)
			if test.status == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if who, ok := From(ctx); !ok || who.Subject != "ada" || !who.Has("orders:read") || who.Has("orders:write") {
					t.Errorf("identity %+v", who)
				}
				return
			}
			var refused *Refusal
			if !errors.As(err, &refused) {
				t.Fatalf("error %v", err)
			}
			if p := refused.Problem(); p.Status != test.status || p.Code != test.code || !strings.Contains(refused.Challenge(), test.want) {
				t.Errorf("problem %+v, challenge %s", p, refused.Challenge())
			}
			if strings.Contains(err.Error(), reader) || strings.Contains(err.Error(), old) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestAuthorizeSaysWhatHelpsAnHonestClient(t *testing.T) {
	now := &clock{now: noon}
	issuer := newIssuer(t, now.Now, newKey(t, noon))
	token := issue(t, issuer, Grant{Subject: "ada"})
	now.set(noon.Add(time.Hour))
	_, err := newVerifier(t, issuer, now.Now).Authorize(t.Context(), http.Header{"Authorization": {"Bearer " + token}}, [][]string{{}})
	var refused *Refusal
	if !errors.As(err, &refused) || !strings.Contains(refused.Challenge(), "expired") {
		t.Errorf("error %v", err)
	}
}

type noSource struct{}

func (noSource) Key(context.Context, string) (*Key, error) { return nil, ErrNoKeys }

func TestAuthorizeWithoutKeysIsNotTheClientsFault(t *testing.T) {
	key := newKey(t, noon)
	now := func() time.Time { return noon }
	token := issue(t, newIssuer(t, now, key), Grant{Subject: "ada"})
	_, err := newVerifier(t, noSource{}, now).Authorize(t.Context(), http.Header{"Authorization": {"Bearer " + token}}, [][]string{{}})
	var refused *Refusal
	if !errors.As(err, &refused) || refused.Problem().Status != 503 || refused.Challenge() != "" || refused.Problem().RetryAfter == 0 {
		t.Errorf("error %v", err)
	}
}

func TestIdentityOfNobodyHasNothing(t *testing.T) {
	who, ok := From(t.Context())
	if ok || who.Has() || who.Has("orders:read") {
		t.Errorf("identity %+v", who)
	}
	if Header(t.Context()) != "" || Header(WithHeader(t.Context(), "Bearer x")) != "Bearer x" {
		t.Error("the header is not that of the context")
	}
}

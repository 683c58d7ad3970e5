package http

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/password"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

// plain is what a hash looks like to plainPasswords, which would be a bad idea outside a test.
type plainPasswords struct{ verified int }

func (*plainPasswords) Hash(_ context.Context, password string) (string, error) {
	return "hash of " + password, nil
}

func (p *plainPasswords) Verify(_ context.Context, hash, password string) (bool, error) {
	p.verified++
	return hash == "hash of "+password, nil
}

// desk is what issues tokens in a test.
type desk struct {
	http.Handler
	issuer    *auth.Issuer
	passwords *plainPasswords
}

const shop = "https://shop.example"

func newDesk(t *testing.T, kept *fakeStore) *desk {
	t.Helper()
	d := &desk{passwords: &plainPasswords{}}
	var err error
	if d.issuer, err = auth.NewIssuer(auth.IssuerOptions{Issuer: shop, Audience: "shop"}); err != nil {
		t.Fatal(err)
	}
	key, err := auth.NewSigningKey(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.issuer.Use([]auth.SigningKey{key}); err != nil {
		t.Fatal(err)
	}
	d.Handler = serve(t, Deps{
		Store: kept, Passwords: d.passwords, Issuer: d.issuer, IssuerURL: shop, UserScopes: []string{"orders:read", "orders:write"},
	})
	return d
}

func aShop() *fakeStore {
	return &fakeStore{
		users: []store.User{
			{ID: "u1", Email: "ada@example.com", PasswordHash: "hash of correct horse"},
			{ID: "u2", Email: "bob@example.com"},
		},
		clients: []store.Client{
			{ID: "web", SecretHash: "hash of s3cr3t", Scopes: "catalog:write orders:read orders:write"},
			{ID: "batch", SecretHash: "hash of s3cr3t", Scopes: "catalog:write"},
		},
	}
}

// ask sends a form; user and secret go into a Basic header when user is not empty.
func (d *desk) ask(t *testing.T, user, secret string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	return d.askAt(t, "/oauth/token", user, secret, form)
}

func (d *desk) askAt(t *testing.T, target, user, secret string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		r.SetBasicAuth(url.QueryEscape(user), url.QueryEscape(secret))
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if cached := w.Header().Get("Cache-Control"); cached != "no-store" {
		t.Errorf("Cache-Control %q", cached)
	}
	if pragma := w.Header().Get("Pragma"); pragma != "no-cache" && w.Header().Get("Content-Type") != problem.ContentType {
		t.Errorf("Pragma %q", pragma)
	}
	return w
}

// form makes a form of pairs.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func TestTokenSaysWhoAndWhat(t *testing.T) {
	d := newDesk(t, aShop())
	verifier, err := auth.NewVerifier(auth.Options{Issuer: shop, Audience: "shop", Keys: d.issuer})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		user, secret string
		form         url.Values
		subject      string
		scopes       []string
	}{
		"a client's own":        {"web", "s3cr3t", form("grant_type", "client_credentials"), "web", []string{"catalog:write", "orders:read", "orders:write"}},
		"secret in the body":    {"", "", form("grant_type", "client_credentials", "client_id", "web", "client_secret", "s3cr3t", "scope", "catalog:write"), "web", []string{"catalog:write"}},
		"a user's":              {"web", "s3cr3t", form("grant_type", "password", "username", "Ada@example.com", "password", "correct horse"), "u1", []string{"orders:read", "orders:write"}},
		"a user's, in part":     {"web", "s3cr3t", form("grant_type", "password", "username", "ada@example.com", "password", "correct horse", "scope", "orders:read"), "u1", []string{"orders:read"}},
		"the same scope twice":  {"web", "s3cr3t", form("grant_type", "client_credentials", "scope", strings.Repeat("orders:read ", 2)), "web", []string{"orders:read"}},
		"unknown things beside": {"web", "s3cr3t", form("grant_type", "client_credentials", "resource", "x"), "web", []string{"catalog:write", "orders:read", "orders:write"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.ask(t, test.user, test.secret, test.form)
			var token api.Token
			if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			who, err := verifier.Verify(t.Context(), token.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			if who.Subject != test.subject || who.Client != "web" || !slices.Equal(who.Scopes, test.scopes) {
				t.Errorf("identity %+v", who)
			}
			if token.TokenType != "Bearer" || token.ExpiresIn != 600 || token.Scope != strings.Join(test.scopes, " ") {
				t.Errorf("answer %+v", token)
			}
		})
	}
}

func TestTokenIsRefusedInTheWordsOfRFC6749(t *testing.T) {
	for name, test := range map[string]struct {
		user, secret string
		form         url.Values
		status       int
		code         string
	}{
		"no grant":             {"web", "s3cr3t", form("scope", "x"), 400, "invalid_request"},
		"unknown grant":        {"web", "s3cr3t", form("grant_type", "implicit"), 400, "unsupported_grant_type"},
		"no client":            {"", "", form("grant_type", "client_credentials"), 401, "invalid_client"},
		"unknown client":       {"evil", "s3cr3t", form("grant_type", "client_credentials"), 401, "invalid_client"},
		"wrong secret":         {"web", "secret", form("grant_type", "client_credentials"), 401, "invalid_client"},
		"empty secret":         {"web", "", form("grant_type", "client_credentials"), 401, "invalid_client"},
		"two ways":             {"web", "s3cr3t", form("grant_type", "client_credentials", "client_secret", "s3cr3t"), 400, "invalid_request"},
		"two clients":          {"web", "s3cr3t", form("grant_type", "client_credentials", "client_id", "other"), 401, "invalid_client"},
		"too much":             {"web", "s3cr3t", form("grant_type", "client_credentials", "scope", "orders:read admin"), 400, "invalid_scope"},
		"too much for a user":  {"web", "s3cr3t", form("grant_type", "password", "username", "ada@example.com", "password", "correct horse", "scope", "catalog:write"), 400, "invalid_scope"},
		"wrong password":       {"web", "s3cr3t", form("grant_type", "password", "username", "ada@example.com", "password", "battery"), 400, "invalid_grant"},
		"unknown user":         {"web", "s3cr3t", form("grant_type", "password", "username", "eve@example.com", "password", "x"), 400, "invalid_grant"},
		"user without one":     {"web", "s3cr3t", form("grant_type", "password", "username", "bob@example.com", "password", "x"), 400, "invalid_grant"},
		"no password":          {"web", "s3cr3t", form("grant_type", "password", "username", "bob@example.com"), 400, "invalid_request"},
		"a client for no user": {"batch", "s3cr3t", form("grant_type", "password", "username", "ada@example.com", "password", "correct horse"), 400, "unauthorized_client"},
		"scope twice":          {"web", "s3cr3t", form("grant_type", "client_credentials", "scope", "orders:read", "scope", "orders:write"), 400, "invalid_request"},
		"a user without a web": {"", "", form("grant_type", "password", "username", "ada@example.com", "password", "correct horse"), 401, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, aShop())
			w := d.ask(t, test.user, test.secret, test.form)
			var refused api.TokenError
			if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil || w.Code != test.status || string(refused.Error) != test.code {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (w.Code == http.StatusUnauthorized) {
				t.Errorf("WWW-Authenticate %q", challenge)
			}
		})
	}
}

func TestWhetherSomebodyExistsTakesNoLess(t *testing.T) {
	for name, test := range map[string]struct {
		user string
		form url.Values
		want int
	}{
		"client": {"evil", form("grant_type", "client_credentials"), 1},
		"user":   {"web", form("grant_type", "password", "username", "eve@example.com", "password", "x"), 2},
	} {
		d := newDesk(t, aShop())
		d.ask(t, test.user, "s3cr3t", test.form)
		if d.passwords.verified != test.want {
			t.Errorf("%s: %d passwords were verified, want %d", name, d.passwords.verified, test.want)
		}
	}
}

func TestSecretsInTheQueryAreRefused(t *testing.T) {
	asClient := form("grant_type", "client_credentials", "client_id", "web", "client_secret", "s3cr3t")
	for _, query := range []string{"client_secret=s3cr3t", "client_secret", "password=x", "a=b&passw%6Frd=x"} {
		w := newDesk(t, aShop()).askAt(t, "/oauth/token?"+query, "", "", asClient)
		var refused api.TokenError
		if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil || w.Code != http.StatusBadRequest || refused.Error != "invalid_request" {
			t.Errorf("%s: status %d: %s", query, w.Code, w.Body)
		}
	}
}

func TestNothingIsReadFromTheQuery(t *testing.T) {
	d := newDesk(t, aShop())
	if w := d.askAt(t, "/oauth/token?grant_type=client_credentials", "web", "s3cr3t", form("scope", "orders:read")); w.Code != http.StatusBadRequest {
		t.Errorf("grant_type in the query: status %d: %s", w.Code, w.Body)
	}
	w := d.askAt(t, "/oauth/token?scope=orders:read", "web", "s3cr3t", form("grant_type", "client_credentials"))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "catalog:write") {
		t.Errorf("scope in the query: status %d: %s", w.Code, w.Body)
	}
}

func TestTokenBeforeThereAreKeys(t *testing.T) {
	d := newDesk(t, aShop())
	none, err := auth.NewIssuer(auth.IssuerOptions{Issuer: shop, Audience: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	d.Handler = serve(t, Deps{Store: aShop(), Passwords: d.passwords, Issuer: none, IssuerURL: shop})
	w := d.ask(t, "web", "s3cr3t", form("grant_type", "client_credentials"))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "no_keys") {
		t.Errorf("status %d, %v: %s", w.Code, w.Header(), w.Body)
	}
}

// busyPasswords are what there is when too many log in.
type busyPasswords struct{}

func (busyPasswords) Hash(context.Context, string) (string, error) {
	return "", fmt.Errorf("hash a password: %w", password.ErrBusy)
}

func (busyPasswords) Verify(context.Context, string, string) (bool, error) {
	return false, fmt.Errorf("verify a password: %w", password.ErrBusy)
}

func TestTooManyLoginsAtOnceAreToldToWait(t *testing.T) {
	d := newDesk(t, aShop())
	d.Handler = serve(t, Deps{Store: aShop(), Passwords: busyPasswords{}, Issuer: d.issuer, IssuerURL: shop})
	w := d.ask(t, "web", "s3cr3t", form("grant_type", "client_credentials"))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("status %d, %v: %s", w.Code, w.Header(), w.Body)
	}
	var refused map[string]any
	call(t, d, "POST", "/v1/users", `{"name": "Eve", "email": "e@example.com", "password": "twelve letters"}`, http.StatusServiceUnavailable, &refused)
}

func TestGuessingAPasswordIsSlow(t *testing.T) {
	for _, name := range []string{"ada@example.com", "nobody@example.com"} {
		d := newDesk(t, aShop())
		logIn := func(password string) *httptest.ResponseRecorder {
			return d.ask(t, "web", "s3cr3t", form("grant_type", "password", "username", strings.ToUpper(name), "password", password))
		}
		for range freeAttempts {
			if w := logIn("guess"); w.Code != http.StatusBadRequest {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
		}
		w := logIn("correct horse")
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || d.passwords.verified != 2*freeAttempts+1 {
			t.Errorf("%s: status %d, %v, %d passwords verified: %s", name, w.Code, w.Header(), d.passwords.verified, w.Body)
		}
		if w := d.ask(t, "web", "s3cr3t", form("grant_type", "password", "username", "bob@example.com", "password", "x")); w.Code != http.StatusBadRequest {
			t.Errorf("another user: status %d: %s", w.Code, w.Body)
		}
	}
}

func TestCredentialsThatCannotBeRead(t *testing.T) {
	for _, header := range []string{"Bearer x", "Basic", "Basic !", "Basic " + base64.StdEncoding.EncodeToString([]byte("web")), "Basic " + base64.StdEncoding.EncodeToString([]byte("%zz:x"))} {
		if _, _, err := credentials(header, &api.TokenRequest{}); !errors.Is(err, wrongClient) {
			t.Errorf("%s: error %v", header, err)
		}
	}
}

func TestTokenOfAFailingStoreTellsNothing(t *testing.T) {
	kept := aShop()
	kept.err = errors.New("secret of the store")
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", "s3cr3t")
	w := httptest.NewRecorder()
	newDesk(t, kept).ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret of") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestKeysArePublished(t *testing.T) {
	d := newDesk(t, aShop())
	r := httptest.NewRequest(http.MethodGet, "/.well-known/jwks.json", nil)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	set, err := auth.ParseKeySet(w.Body.Bytes())
	if err != nil || set.Len() != 1 || w.Header().Get("Cache-Control") != "public, max-age=300" || strings.Contains(w.Body.String(), `"d"`) {
		t.Errorf("%v, %v: %s", err, w.Header(), w.Body)
	}
}

func TestDiscoveryNamesTheEndpoints(t *testing.T) {
	var found api.Discovery
	call(t, newDesk(t, aShop()), "GET", "/.well-known/openid-configuration", "", http.StatusOK, &found)
	if found.Issuer != shop || found.TokenEndpoint != shop+"/oauth/token" || found.JwksURI != shop+"/.well-known/jwks.json" {
		t.Errorf("%+v", found)
	}
}

func TestUserWithAPasswordCanLogIn(t *testing.T) {
	d := newDesk(t, aShop())
	var created api.User
	call(t, d, "POST", "/v1/users", `{"name": "Eve", "email": "Eve@example.com", "password": "twelve letters"}`, http.StatusCreated, &created)
	w := d.ask(t, "web", "s3cr3t", form("grant_type", "password", "username", "eve@example.com", "password", "twelve letters"))
	if w.Code != http.StatusOK {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	var refused map[string]any
	call(t, d, "POST", "/v1/users", `{"name": "Eve", "email": "e@example.com", "password": "short"}`, http.StatusUnprocessableEntity, &refused)
	if text, _ := json.Marshal(refused); strings.Contains(string(text), "short") && strings.Contains(string(text), `"short"`) {
		t.Errorf("the answer shows the password: %s", text)
	}
}

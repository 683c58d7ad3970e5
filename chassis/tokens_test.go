package chassis

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/auth"
)

var secured = []byte(`
openapi: 3.0.3
info: {title: notes, version: 1.0.0}
paths:
  /notes:
    get: {operationId: listNotes, security: [{token: ["notes:read"]}], responses: {"204": {description: Done.}}}
    post: {operationId: addNote, responses: {"204": {description: Done.}}}
components:
  securitySchemes:
    token: {type: http, scheme: bearer, bearerFormat: JWT}
`)

// tokenIssuer issues tokens and publishes its keys.
func tokenIssuer(t *testing.T) (*auth.Issuer, *httptest.Server) {
	t.Helper()
	issuer, err := auth.NewIssuer(auth.IssuerOptions{Issuer: "https://shop.example", Audience: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := auth.NewSigningKey(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := issuer.Use([]auth.SigningKey{key}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		jwks, _ := issuer.JWKS()
		_, _ = w.Write(jwks)
	}))
	t.Cleanup(server.Close)
	return issuer, server
}

func token(t *testing.T, issuer *auth.Issuer, scopes ...string) string {
	t.Helper()
	token, _, err := issuer.Issue(auth.Grant{Subject: "ada", Client: "test", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func sendWith(t *testing.T, url, token string) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header
}

func listNotes(_ context.Context, s *Service) error {
	s.Router().GET("/notes", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	return nil
}

func TestContractsSecurityIsEnforced(t *testing.T) {
	issuer, jwks := tokenIssuer(t)
	accepted := []string{"APP_AUTH_ISSUER=https://shop.example", "APP_AUTH_AUDIENCE=shop"}
	for name, test := range map[string]struct {
		environ []string
		wire    Wire
	}{
		"keys from their issuer": {append(accepted, "APP_AUTH_JWKS="+jwks.URL), listNotes},
		"keys of its own": {accepted, func(ctx context.Context, s *Service) error {
			s.VerifyWith(issuer)
			return listNotes(ctx, s)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, stop := serving(t, Spec{Name: "notes", Contract: secured}, test.wire, Options{Environ: environment(test.environ...)})
			url := "http://" + s.Addr() + "/notes"
			for _, request := range []struct {
				token     string
				status    int
				challenge string
			}{
				{"", http.StatusUnauthorized, "Bearer"},
				{"x.y.z", http.StatusUnauthorized, "invalid_token"},
				{token(t, issuer, "notes:write"), http.StatusForbidden, `scope="notes:read"`},
				{token(t, issuer, "notes:read"), http.StatusNoContent, ""},
			} {
				status, header := sendWith(t, url, request.token)
				if status != request.status || !strings.Contains(header.Get("WWW-Authenticate"), request.challenge) {
					t.Errorf("status %d, want %d; %v", status, request.status, header)
				}
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSecurityWithoutItsConfigurationKeepsTheServiceFromStarting(t *testing.T) {
	for missing, environ := range map[string][]string{
		"APP_AUTH_ISSUER":   nil,
		"APP_AUTH_AUDIENCE": {"APP_AUTH_ISSUER=https://shop.example"},
		"APP_AUTH_JWKS":     {"APP_AUTH_ISSUER=https://shop.example", "APP_AUTH_AUDIENCE=shop"},
	} {
		err := Run(t.Context(), Spec{Name: "notes", Contract: secured}, listNotes, Options{Environ: environment(environ...)})
		if err == nil || !strings.Contains(err.Error(), "set "+missing+",") {
			t.Errorf("error %v, want one about %s", err, missing)
		}
	}
	// A job that migrates the database answers no requests.
	if err := Run(t.Context(), Spec{Name: "notes", Contract: secured}, listNotes, Options{Environ: environment(), Args: []string{"--migrate"}}); err != nil {
		t.Errorf("migrate: %v", err)
	}
}

func TestCallsCarryTheTokenOfTheirRequest(t *testing.T) {
	got := make(chan string, 1)
	callee := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer callee.Close()
	s, stop := serving(t, Spec{Name: "notes", Calls: []Call{{Service: "users"}}}, func(_ context.Context, s *Service) error {
		users, err := s.Client("users")
		if err != nil {
			return err
		}
		s.Router().GET("/notes", func(c *gin.Context) {
			r, err := http.NewRequestWithContext(c, http.MethodGet, users.URL, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := users.HTTP.Do(r); err == nil {
				_ = resp.Body.Close()
			}
		})
		return nil
	}, Options{Environ: environment("APP_CALLS_USERS_URL=" + callee.URL)})
	sendWith(t, "http://"+s.Addr()+"/notes", "abc")
	if sent := <-got; sent != "Bearer abc" {
		t.Errorf("sent %q", sent)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Package authtest stands in for access tokens in tests of handlers. What a token has to have is tested in package auth, and
// that a contract's security is enforced in package httpserver.
package authtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/auth"
)

// UserHeader names the user in whose name a request is made; without it, a client makes it in its own.
const UserHeader = "Test-User"

// Anybody lets every request through, in the name of somebody with the scopes that it needs. It is Options.Authorize of
// package httpserver.
func Anybody(ctx context.Context, header http.Header, alternatives [][]string) (context.Context, error) {
	somebody := &auth.Identity{Subject: "somebody", Client: "somebody"}
	if user := header.Get(UserHeader); user != "" {
		somebody.Subject = user
	}
	if len(alternatives) > 0 {
		somebody.Scopes = alternatives[0]
	}
	return auth.With(ctx, somebody), nil
}

// Ask sends a request with a JSON body in a user's name, and gives the status of the answer.
func Ask(h http.Handler, user, method, path, body string) (status int) {
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(UserHeader, user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

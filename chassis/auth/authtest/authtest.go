// Package authtest stands in for access tokens in tests of handlers. What a token has to have is tested in package auth, and
// that a contract's security is enforced in package httpserver.
package authtest

import (
	"context"
	"net/http"

	"github.com/trellis-mesh/trellis/chassis/auth"
)

// Anybody lets every request through, in the name of somebody with the scopes that it needs. It is Options.Authorize of
// package httpserver.
func Anybody(ctx context.Context, _ http.Header, alternatives [][]string) (context.Context, error) {
	somebody := &auth.Identity{Subject: "somebody", Client: "test"}
	if len(alternatives) > 0 {
		somebody.Scopes = alternatives[0]
	}
	return auth.With(ctx, somebody), nil
}

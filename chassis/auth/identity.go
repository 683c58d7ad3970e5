package auth

import (
	"context"
	"slices"
	"time"
)

// Identity is on whose behalf a request is made, as a verified token says. It is shared between requests: do not change it.
type Identity struct {
	// Subject is the user, or the client itself when it acts for no user.
	Subject string
	// Client is the program that asked for the token.
	Client string
	// Scopes are what the token allows.
	Scopes []string
	// Expires is when the token ends.
	Expires time.Time
}

// Has reports whether the token allows all of these.
func (i *Identity) Has(scopes ...string) bool {
	if i == nil {
		return false
	}
	for _, s := range scopes {
		if !slices.Contains(i.Scopes, s) {
			return false
		}
	}
	return true
}

type identityKey struct{}

// From gives the identity of the request that ctx belongs to. There is none where the contract asks for no token, even when
// the request has one: nobody has looked at it.
func From(ctx context.Context) (*Identity, bool) {
	i, ok := ctx.Value(identityKey{}).(*Identity)
	return i, ok
}

// With is ctx with an identity, for tests and for work that is done in somebody's name.
func With(ctx context.Context, i *Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, i)
}

// HeaderKey is the context key of a request's Authorization header. Package httpserver answers for it.
type HeaderKey struct{}

// Header gives the Authorization header of the request that ctx belongs to, verified or not, for calls that are made on
// its behalf; "" when there is none.
func Header(ctx context.Context) string {
	h, _ := ctx.Value(HeaderKey{}).(string)
	return h
}

// WithHeader is ctx with an Authorization header for the calls made with it.
func WithHeader(ctx context.Context, header string) context.Context {
	return context.WithValue(ctx, HeaderKey{}, header)
}

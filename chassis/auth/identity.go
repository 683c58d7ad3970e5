package auth

import (
	"context"
	"slices"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
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

// User gives the user in whose name the request that ctx belongs to is made. There is none when a client acts in its own name, and none
// where the contract asks for no token.
func User(ctx context.Context) (id string, ok bool) {
	i, ok := From(ctx)
	if !ok || i.Subject == i.Client {
		return "", false
	}
	return i.Subject, true
}

// Own refuses a request in the name of any user but this one: a scope says what may be done, and not whose things it may be done to. What
// a client does in its own name, its scopes alone decide, and the contract where it asks for no token. Whoever may not even learn that a
// thing is there is better told that it is not.
func Own(ctx context.Context, user string) error {
	if id, ok := User(ctx); ok && id != user {
		return problem.Forbidden("not_yours", "The access token speaks for another user.")
	}
	return nil
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

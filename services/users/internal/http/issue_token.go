package http

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

// What a client can ask a token with.
const (
	clientCredentials = "client_credentials"
	passwordLogin     = "password"
)

// grantError is a refusal in the words of RFC 6749, section 5.2.
type grantError struct {
	code   api.TokenErrorError
	detail string
}

func (e *grantError) Error() string { return string(e.code) + ": " + e.detail }

// IssueToken gives a client a token of its own, or that of a user who logs in with it.
func (h *Handler) IssueToken(ctx context.Context, request api.IssueTokenRequestObject) (api.IssueTokenResponseObject, error) {
	err := wellFormed(ctx)
	var grant auth.Grant
	if err == nil {
		grant, err = h.grant(ctx, request.Body)
	}
	var refused *grantError
	if errors.As(err, &refused) {
		return refuse(refused), nil
	}
	if err != nil {
		return nil, err
	}
	token, lifetime, err := h.Issuer.Issue(grant)
	if err != nil {
		return nil, withoutKeys(err)
	}
	return api.IssueToken200JSONResponse{
		Headers: api.IssueToken200ResponseHeaders{CacheControl: noStore, Pragma: noCache},
		Body: api.Token{
			AccessToken: token, TokenType: "Bearer", ExpiresIn: int(lifetime.Seconds()), Scope: strings.Join(grant.Scopes, " "),
		},
	}, nil
}

// No answer about tokens is kept anywhere (RFC 6749, section 5.1).
const (
	noStore = "no-store"
	noCache = "no-cache"
)

func refuse(e *grantError) api.IssueTokenResponseObject {
	body := api.TokenError{Error: e.code, ErrorDescription: &e.detail}
	if e.code == "invalid_client" {
		return api.IssueToken401JSONResponse{
			Headers: api.IssueToken401ResponseHeaders{CacheControl: noStore, Pragma: noCache, WWWAuthenticate: `Basic realm="tokens"`},
			Body:    body,
		}
	}
	return api.IssueToken400JSONResponse{Headers: api.IssueToken400ResponseHeaders{CacheControl: noStore, Pragma: noCache}, Body: body}
}

// grant decides what is granted. Who the client is comes first: a stranger learns nothing about users.
func (h *Handler) grant(ctx context.Context, body *api.TokenRequest) (auth.Grant, error) {
	kind := text(body.GrantType)
	switch kind {
	case clientCredentials, passwordLogin:
	case "":
		return auth.Grant{}, &grantError{"invalid_request", "grant_type is missing"}
	default:
		return auth.Grant{}, &grantError{"unsupported_grant_type", "grant_type is neither client_credentials nor password"}
	}
	client, err := h.authenticate(ctx, auth.Header(ctx), body)
	if err != nil {
		return auth.Grant{}, err
	}
	grant := auth.Grant{Subject: client.ID, Client: client.ID, Scopes: strings.Fields(client.Scopes)}
	if kind == passwordLogin {
		grant.Scopes = slices.DeleteFunc(grant.Scopes, func(s string) bool { return !slices.Contains(h.UserScopes, s) })
		if len(grant.Scopes) == 0 {
			return auth.Grant{}, &grantError{"unauthorized_client", "the client may do nothing in a user's name"}
		}
		user, err := h.logIn(ctx, text(body.Username), text(body.Password))
		if err != nil {
			return auth.Grant{}, err
		}
		grant.Subject = user.ID
	}
	return narrow(grant, strings.Fields(text(body.Scope)))
}

// narrow leaves a grant the scopes that are asked for.
func narrow(grant auth.Grant, asked []string) (auth.Grant, error) {
	if len(asked) == 0 {
		return grant, nil
	}
	for _, scope := range asked {
		if !slices.Contains(grant.Scopes, scope) {
			return auth.Grant{}, &grantError{"invalid_scope", "a scope is asked for that is not granted"}
		}
	}
	slices.Sort(asked)
	grant.Scopes = slices.Compact(asked)
	return grant, nil
}

var wrongLogin = &grantError{"invalid_grant", "the user or the password is wrong"}

// logIn takes as long for a user who does not exist as for one who does.
func (h *Handler) logIn(ctx context.Context, email, password string) (store.User, error) {
	if email == "" || password == "" {
		return store.User{}, &grantError{"invalid_request", "username or password is missing"}
	}
	email = strings.ToLower(email)
	if wait := h.attempts.begin(email); wait > 0 {
		return store.User{}, problem.TooManyRequests("too_many_logins", "There were too many attempts to log in as this user.", wait)
	}
	user, err := h.Store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.User{}, err
	}
	right, err := h.Passwords.Verify(ctx, user.PasswordHash, password)
	if err != nil {
		return store.User{}, err
	}
	if !right {
		return store.User{}, wrongLogin
	}
	h.attempts.succeeded(email)
	return user, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Authorize lets a request through whose token has the scopes of one of the alternatives, and gives it its identity. It is
// Options.Authorize of package httpserver. Its error is a *Refusal.
func (v *Verifier) Authorize(ctx context.Context, header http.Header, alternatives [][]string) (context.Context, error) {
	token, err := bearer(header)
	if err != nil {
		return nil, err
	}
	identity, err := v.Verify(ctx, token)
	if err != nil {
		return nil, refuse(err)
	}
	for _, scopes := range alternatives {
		if identity.Has(scopes...) {
			return With(ctx, identity), nil
		}
	}
	return nil, insufficient(alternatives)
}

// Refusal is why a request is not let through.
type Refusal struct {
	problem   *problem.Problem
	challenge string
}

// Error is fit for logs.
func (r *Refusal) Error() string { return r.problem.Error() }

// Unwrap gives the reason.
func (r *Refusal) Unwrap() error { return r.problem.Cause }

// Problem is what the client gets.
func (r *Refusal) Problem() *problem.Problem { return r.problem }

// Challenge is the answer's WWW-Authenticate header (RFC 6750, section 3); "" for none.
func (r *Refusal) Challenge() string { return r.challenge }

// bearer takes the token out of the Authorization header.
func bearer(header http.Header) (string, error) {
	values := header["Authorization"]
	if len(values) == 0 {
		return "", &Refusal{problem.Unauthorized("token_missing", "The request needs an access token: Authorization: Bearer …"), "Bearer"}
	}
	if len(values) > 1 {
		return "", &Refusal{problem.BadRequest("invalid_request", "There is more than one Authorization header."), `Bearer error="invalid_request"`}
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", &Refusal{problem.Unauthorized("token_missing", "The request needs an access token: Authorization: Bearer …"), "Bearer"}
	}
	token = strings.TrimLeft(token, " ")
	if !isToken(token) {
		return "", refuse(ErrMalformed)
	}
	return token, nil
}

// isToken reports whether a text has the characters of a compact JWS, and no others.
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return text != ""
}

// told are the reasons that help an honest client and nobody else.
var told = map[error]string{
	ErrExpired: "The access token has expired.",
	ErrNotYet:  "The access token is not valid yet.",
	ErrForeign: "The access token is not meant for this service.",
}

func refuse(err error) *Refusal {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Refusal{problem: problem.From(err)}
	case errors.Is(err, ErrNoKeys):
		unavailable := problem.Unavailable("keys_unavailable", "Access tokens cannot be verified at the moment.")
		return &Refusal{problem: unavailable.WithRetryAfter(5 * time.Second).WithCause(err)}
	}
	detail := "The access token is not valid."
	for reason, text := range told {
		if errors.Is(err, reason) {
			detail = text
		}
	}
	return &Refusal{
		problem:   problem.Unauthorized("invalid_token", detail).WithCause(err),
		challenge: `Bearer error="invalid_token", error_description="` + detail + `"`,
	}
}

// insufficient names the scopes of the first alternative, as RFC 6750 has room for one.
func insufficient(alternatives [][]string) *Refusal {
	challenge := `Bearer error="insufficient_scope"`
	if len(alternatives) > 0 {
		challenge += `, scope="` + strings.Join(alternatives[0], " ") + `"`
	}
	return &Refusal{problem.Forbidden("insufficient_scope", "The access token does not allow this."), challenge}
}

package chassis

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/trellis-mesh/trellis/chassis/auth"
)

// tokens is how the service verifies access tokens, if its contract asks for any. Its parts are made once wire has said
// where the keys are, and before the first request.
type tokens struct {
	source   auth.Source // nil unless the service signs tokens itself
	verifier *auth.Verifier
}

// authorize is given to the API server before there is a verifier.
func (t *tokens) authorize(ctx context.Context, header http.Header, alternatives [][]string) (context.Context, error) {
	if t.verifier == nil {
		return nil, errors.New("a request came before the service was wired")
	}
	return t.verifier.Authorize(ctx, header, alternatives)
}

// VerifyWith has the service verify access tokens with these keys, rather than with those at auth.jwks: a service that issues
// tokens has the keys already.
func (s *Service) VerifyWith(source auth.Source) { s.tokens.source = source }

// buildVerifier makes the verifier that the contract's security asks for.
func (s *Service) buildVerifier() error {
	if !s.api.Secured() {
		return nil
	}
	set := &s.settings.Auth
	const purpose = "verify access tokens, which the contract's security asks for"
	for _, key := range []struct{ name, value, example string }{
		{"auth.issuer", set.Issuer, "https://shop.example"},
		{"auth.audience", set.Audience, "shop"},
	} {
		if key.value == "" {
			return unset(purpose, key.name, key.example)
		}
	}
	source := s.tokens.source
	if source == nil {
		if set.JWKS == "" {
			return unset(purpose, "auth.jwks", "http://users:8080/.well-known/jwks.json")
		}
		remote, err := auth.NewRemote(auth.RemoteOptions{URL: set.JWKS, Log: s.Log()})
		if err != nil {
			return err
		}
		s.workers.Go("keys of tokens", remote.Run)
		source = remote
	}
	verifier, err := auth.NewVerifier(auth.Options{Issuer: set.Issuer, Audience: set.Audience, Keys: source})
	if err != nil {
		return err
	}
	s.tokens.verifier = verifier
	return nil
}

// unset says that a key has no value, and how to give it one.
func unset(purpose, key, example string) error {
	return fmt.Errorf("%s: set %s, or %s in the file that CONFIG_FILE names, such as %s", purpose, variable(key), key, example)
}

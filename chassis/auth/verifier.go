package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// Options say which tokens are accepted. Issuer, Audience and Keys are needed.
type Options struct {
	// Issuer is the iss of a token.
	Issuer string
	// Audience must be among a token's aud.
	Audience string
	// Keys are the issuer's.
	Keys Source
	// Leeway is how far clocks may be apart; 30 s.
	Leeway time.Duration
	// Now is the time; time.Now.
	Now func() time.Time
}

// Verifier tells good tokens from bad ones.
type Verifier struct {
	opt    Options
	recent recent
}

// NewVerifier validates the options.
func NewVerifier(opt Options) (*Verifier, error) {
	if opt.Issuer == "" || opt.Audience == "" || opt.Keys == nil {
		return nil, errors.New("auth: Options.Issuer, Audience and Keys are needed")
	}
	opt.Leeway = cmp.Or(opt.Leeway, 30*time.Second)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Verifier{opt: opt}, nil
}

// The reasons to refuse a token. No error of this package shows a token or a part of one.
var (
	// ErrMalformed is something that is no signed token.
	ErrMalformed = errors.New("the token is malformed")
	// ErrSignature is a token that its key has not signed, or by a way that is not accepted.
	ErrSignature = errors.New("the token's signature is wrong")
	// ErrExpired is a token whose time has passed.
	ErrExpired = errors.New("the token has expired")
	// ErrNotYet is a token whose time has not come.
	ErrNotYet = errors.New("the token is not valid yet")
	// ErrForeign is a token of another issuer or for another audience.
	ErrForeign = errors.New("the token is not meant for this service")
	// ErrClaims is a token that lacks a claim or has one of the wrong type.
	ErrClaims = errors.New("the token's claims are wrong")
)

const (
	maxToken  = 8 << 10 // bytes
	maxKeyID  = 256
	maxScopes = 100
)

// Verify gives the identity that a token stands for. It fails with one of the errors above, ErrUnknownKey or ErrNoKeys.
func (v *Verifier) Verify(ctx context.Context, token string) (*Identity, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMalformed, maxToken)
	}
	sum := digest(token)
	if known := v.recall(ctx, sum); known != nil {
		return known, nil
	}
	header, err := readHeader(token)
	if err != nil {
		return nil, err
	}
	key, err := v.opt.Keys.Key(ctx, header.key)
	if err != nil {
		return nil, err
	}
	algorithm, ok := key.algorithm(header.algorithm)
	if !ok {
		return nil, fmt.Errorf("%w: the key is not for its algorithm", ErrSignature)
	}
	parsed, err := jwt.ParseString(token,
		jwt.WithKey(algorithm, key.public),
		jwt.WithIssuer(v.opt.Issuer), jwt.WithAudience(v.opt.Audience), jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithAcceptableSkew(v.opt.Leeway), jwt.WithClock(jwt.ClockFunc(v.opt.Now)))
	if err != nil {
		return nil, reason(err)
	}
	identity, begins, err := readClaims(parsed)
	if err != nil {
		return nil, err
	}
	v.recent.add(sum, &remembered{identity: identity, begins: begins, key: key.ID, print: key.print})
	return identity, nil
}

// recall gives the identity of a token that was verified before, if it would be again.
func (v *Verifier) recall(ctx context.Context, sum tokenDigest) *Identity {
	known := v.recent.find(sum)
	if known == nil {
		return nil
	}
	now := v.opt.Now()
	if !now.Before(known.identity.Expires.Add(v.opt.Leeway)) || now.Add(v.opt.Leeway).Before(known.begins) {
		return nil
	}
	if key, err := v.opt.Keys.Key(ctx, known.key); err != nil || key.print != known.print {
		return nil
	}
	return known.identity
}

// tokenHeader is what a token says about how it is signed.
type tokenHeader struct{ algorithm, key string }

// tokenTypes are the typ of access tokens, by RFC 9068 and before it. Tokens that are made for something else, such as the
// logout of a session, are signed with the same keys.
var tokenTypes = []string{"", "jwt", "at+jwt", "application/at+jwt"}

func readHeader(token string) (tokenHeader, error) {
	if strings.Count(token, ".") != 2 {
		return tokenHeader{}, ErrMalformed
	}
	message, err := jws.ParseString(token, jws.WithCompact())
	if err != nil || len(message.Signatures()) != 1 {
		return tokenHeader{}, ErrMalformed
	}
	protected := message.Signatures()[0].ProtectedHeaders()
	var h tokenHeader
	algorithm, ok := protected.Algorithm()
	if !ok {
		return h, ErrMalformed
	}
	h.algorithm = algorithm.String()
	typ, _ := protected.Type()
	if !slices.Contains(tokenTypes, strings.ToLower(typ)) {
		return h, fmt.Errorf("%w: it is no access token", ErrMalformed)
	}
	if protected.Has(jws.CriticalKey) {
		return h, fmt.Errorf("%w: it needs an extension", ErrMalformed)
	}
	h.key, _ = protected.KeyID()
	if h.key == "" || len(h.key) > maxKeyID {
		return h, fmt.Errorf("%w: it does not name its key", ErrMalformed)
	}
	return h, nil
}

// reason is why the library refused a token; its own text shows parts of it.
func reason(err error) error {
	for _, r := range []struct{ is, means error }{
		{jwt.TokenExpiredError(), ErrExpired},
		{jwt.TokenNotYetValidError(), ErrNotYet},
		{jwt.InvalidIssuedAtError(), ErrNotYet},
		{jwt.InvalidIssuerError(), ErrForeign},
		{jwt.InvalidAudienceError(), ErrForeign},
		{jwt.MissingRequiredClaimError(), ErrClaims},
		{jws.VerificationError(), ErrSignature},
		{jws.VerifyError(), ErrSignature},
	} {
		if errors.Is(err, r.is) {
			return r.means
		}
	}
	return ErrClaims
}

func readClaims(t jwt.Token) (*Identity, time.Time, error) {
	var identity Identity
	var begins time.Time
	identity.Subject, _ = t.Subject()
	identity.Expires, _ = t.Expiration()
	begins, _ = t.NotBefore()
	if identity.Subject == "" {
		return nil, begins, fmt.Errorf("%w: sub is missing", ErrClaims)
	}
	var scope string
	for claim, into := range map[string]*string{"scope": &scope, "client_id": &identity.Client} {
		if t.Has(claim) && t.Get(claim, into) != nil {
			return nil, begins, fmt.Errorf("%w: %s is no text", ErrClaims, claim)
		}
	}
	identity.Scopes = strings.Fields(scope)
	if len(identity.Scopes) > maxScopes {
		return nil, begins, fmt.Errorf("%w: more than %d scopes", ErrClaims, maxScopes)
	}
	return &identity, begins, nil
}

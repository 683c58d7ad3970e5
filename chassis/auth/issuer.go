package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// IssuerOptions describe the tokens. Issuer and Audience are needed.
type IssuerOptions struct {
	// Issuer and Audience are the tokens' iss and aud.
	Issuer, Audience string
	// Lifetime is how long a token is valid; 10 min.
	Lifetime time.Duration
	// Now is the time; time.Now.
	Now func() time.Time
	// NewID makes the tokens' jti; random UUIDs.
	NewID func() string
}

// Issuer makes tokens. It is a Source of the keys that it signs with.
type Issuer struct {
	opt  IssuerOptions
	keys atomic.Pointer[ring]
}

// ring is the keys of a moment.
type ring struct {
	sorted []SigningKey
	jwks   []byte
	public *KeySet
}

// NewIssuer validates the options. It can issue once it has keys.
func NewIssuer(opt IssuerOptions) (*Issuer, error) {
	if opt.Issuer == "" || opt.Audience == "" {
		return nil, errors.New("auth: IssuerOptions.Issuer and Audience are needed")
	}
	opt.Lifetime = cmp.Or(opt.Lifetime, 10*time.Minute)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.NewID == nil {
		opt.NewID = uuid.NewString
	}
	return &Issuer{opt: opt}, nil
}

// Use takes the keys: all are published, and the last one that has begun signs.
func (i *Issuer) Use(keys []SigningKey) error {
	r := &ring{sorted: byTime(keys)}
	var err error
	if r.jwks, err = PublicKeySet(r.sorted); err != nil {
		return err
	}
	if r.public, err = ParseKeySet(r.jwks); err != nil {
		return err
	}
	i.keys.Store(r)
	return nil
}

// JWKS is what the issuer publishes, or ErrNoKeys.
func (i *Issuer) JWKS() ([]byte, error) {
	if r := i.keys.Load(); r != nil {
		return r.jwks, nil
	}
	return nil, ErrNoKeys
}

// Key gives a public key by its id.
func (i *Issuer) Key(ctx context.Context, id string) (*Key, error) {
	if r := i.keys.Load(); r != nil {
		return r.public.Key(ctx, id)
	}
	return nil, ErrNoKeys
}

// Grant is what a token is to allow.
type Grant struct {
	// Subject is the user, or the client when there is none.
	Subject string
	// Client is who asked.
	Client string
	Scopes []string
}

// Issue makes a token, which is valid for the given time.
func (i *Issuer) Issue(g Grant) (token string, lifetime time.Duration, err error) {
	now := i.opt.Now()
	key, err := i.current(now)
	if err != nil {
		return "", 0, err
	}
	built, err := jwt.NewBuilder().
		Issuer(i.opt.Issuer).Audience([]string{i.opt.Audience}).Subject(g.Subject).
		IssuedAt(now).NotBefore(now).Expiration(now.Add(i.opt.Lifetime)).JwtID(i.opt.NewID()).
		Claim("scope", strings.Join(g.Scopes, " ")).Claim("client_id", g.Client).Build()
	if err != nil {
		return "", 0, fmt.Errorf("make a token: %w", err)
	}
	built.Options().Enable(jwt.FlattenAudience)
	headers := jws.NewHeaders()
	if err := errors.Join(headers.Set(jws.KeyIDKey, key.ID), headers.Set(jws.TypeKey, "at+jwt")); err != nil {
		return "", 0, fmt.Errorf("make a token: %w", err)
	}
	signed, err := jwt.Sign(built, jwt.WithKey(jwa.ES256(), key.private(), jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", 0, fmt.Errorf("sign a token: %w", err)
	}
	return string(signed), i.opt.Lifetime, nil
}

func (i *Issuer) current(now time.Time) (SigningKey, error) {
	r := i.keys.Load()
	if r == nil {
		return SigningKey{}, ErrNoKeys
	}
	for n := len(r.sorted) - 1; n >= 0; n-- {
		if k := r.sorted[n]; !k.Begins.After(now) {
			return k, nil
		}
	}
	return SigningKey{}, fmt.Errorf("%w: none of them has begun", ErrNoKeys)
}

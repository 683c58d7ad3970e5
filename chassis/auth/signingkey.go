package auth

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

// SigningKey signs tokens with ES256. Printed, it shows no secret.
type SigningKey struct {
	// ID is the key's thumbprint (RFC 7638) and the kid of the tokens that it signs.
	ID string
	// Begins is when it signs its first token. It is published before.
	Begins time.Time

	private func() *ecdsa.PrivateKey // a function, because fmt prints unexported fields
}

// NewSigningKey makes a key.
func NewSigningKey(begins time.Time) (SigningKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SigningKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	return signingKey(private, begins)
}

func signingKey(private *ecdsa.PrivateKey, begins time.Time) (SigningKey, error) {
	public, err := jwk.Import(&private.PublicKey)
	if err != nil {
		return SigningKey{}, fmt.Errorf("name a signing key: %w", err)
	}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return SigningKey{}, fmt.Errorf("name a signing key: %w", err)
	}
	id := base64.RawURLEncoding.EncodeToString(sum)
	return SigningKey{ID: id, Begins: begins, private: func() *ecdsa.PrivateKey { return private }}, nil
}

// PublicKeySet is the JWKS of the keys.
func PublicKeySet(keys []SigningKey) ([]byte, error) {
	set := jwk.NewSet()
	for _, k := range keys {
		public, err := jwk.Import(&k.private().PublicKey)
		if err != nil {
			return nil, fmt.Errorf("publish key %s: %w", k.ID, err)
		}
		err = errors.Join(public.Set(jwk.KeyIDKey, k.ID), public.Set(jwk.AlgorithmKey, jwa.ES256()),
			public.Set(jwk.KeyUsageKey, jwk.ForSignature), set.AddKey(public))
		if err != nil {
			return nil, fmt.Errorf("publish key %s: %w", k.ID, err)
		}
	}
	return json.Marshal(set)
}

// KeyWrap encrypts signing keys for where they are kept (AES-256-GCM).
type KeyWrap struct{ aead cipher.AEAD }

// NewKeyWrap takes a secret of 32 random bytes in base64, as `openssl rand -base64 32` makes it.
func NewKeyWrap(secret string) (*KeyWrap, error) {
	raw, err := base64.StdEncoding.DecodeString(secret)
	if err != nil || len(raw) != 32 {
		return nil, errors.New("the key that wraps signing keys is not 32 bytes in base64: make one with: openssl rand -base64 32")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &KeyWrap{aead}, nil
}

// Wrap encrypts a key. It can be unwrapped under its own id only.
func (w *KeyWrap) Wrap(k SigningKey) ([]byte, error) {
	plain, err := x509.MarshalPKCS8PrivateKey(k.private())
	if err != nil {
		return nil, fmt.Errorf("wrap key %s: %w", k.ID, err)
	}
	return w.aead.Seal(nil, nil, plain, []byte(k.ID)), nil //nolint:gosec // this AEAD makes its nonce itself
}

// Unwrap is the opposite of Wrap.
func (w *KeyWrap) Unwrap(id string, begins time.Time, wrapped []byte) (SigningKey, error) {
	plain, err := w.aead.Open(nil, nil, wrapped, []byte(id))
	if err != nil {
		return SigningKey{}, fmt.Errorf("unwrap key %s: it was wrapped with another secret, or has been changed", id)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return SigningKey{}, fmt.Errorf("unwrap key %s: %w", id, err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return SigningKey{}, fmt.Errorf("unwrap key %s: it is no key for ES256", id)
	}
	return signingKey(private, begins)
}

// Rotation is the life of signing keys: next, current, previous.
type Rotation struct {
	// Period is how long a key signs; 24 h.
	Period time.Duration
	// Lead is how long a key is published before it signs; 1 h. It must be longer than anybody keeps a JWKS.
	Lead time.Duration
	// Keep is how long a key is published after the next one began to sign; 1 h. It must be longer than a token lives.
	Keep time.Duration
}

// WithDefaults is the rotation with its zero values replaced.
func (r Rotation) WithDefaults() Rotation {
	for value, standard := range map[*time.Duration]time.Duration{&r.Period: 24 * time.Hour, &r.Lead: time.Hour, &r.Keep: time.Hour} {
		if *value <= 0 {
			*value = standard
		}
	}
	return r
}

// Due tells whether it is time to make another key, and when that is to begin.
func (r Rotation) Due(keys []SigningKey, now time.Time) (begins time.Time, due bool) {
	if len(keys) == 0 {
		return now, true
	}
	ends := byTime(keys)[len(keys)-1].Begins.Add(r.Period)
	if now.Before(ends.Add(-r.Lead)) {
		return time.Time{}, false
	}
	if published := now.Add(r.Lead); ends.Before(published) { // nobody was there to do it in time
		return published, true
	}
	return ends, true
}

// Retired are the keys that no token in use is signed with.
func (r Rotation) Retired(keys []SigningKey, now time.Time) (retired []SigningKey) {
	sorted := byTime(keys)
	for i := 1; i < len(sorted); i++ {
		if !now.Before(sorted[i].Begins.Add(r.Keep)) {
			retired = append(retired, sorted[i-1])
		}
	}
	return retired
}

func byTime(keys []SigningKey) []SigningKey {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, func(a, b SigningKey) int { return a.Begins.Compare(b.Begins) })
	return sorted
}

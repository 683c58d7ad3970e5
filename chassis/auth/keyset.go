package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

var (
	// ErrUnknownKey is a key that the source does not have.
	ErrUnknownKey = errors.New("no such key")
	// ErrNoKeys means that the source has never had any keys.
	ErrNoKeys = errors.New("the issuer's keys are not known")
)

// Source gives the public keys that tokens are verified with.
type Source interface {
	// Key gives a key by its id. It fails with ErrUnknownKey or ErrNoKeys.
	Key(ctx context.Context, id string) (*Key, error)
}

// Key is a public key.
type Key struct {
	// ID is the kid of the tokens that it verifies.
	ID string

	public     any
	algorithms []jwa.SignatureAlgorithm
	print      string // thumbprint (RFC 7638): equal for equal keys
}

// KeySet is an unchanging set of keys.
type KeySet struct{ keys map[string]*Key }

// Key gives a key by its id, or ErrUnknownKey.
func (s *KeySet) Key(_ context.Context, id string) (*Key, error) {
	if k := s.keys[id]; k != nil {
		return k, nil
	}
	return nil, ErrUnknownKey
}

// Len is the number of keys.
func (s *KeySet) Len() int { return len(s.keys) }

const (
	maxKeySet  = 256 << 10 // bytes
	maxKeys    = 100
	minRSABits = 2048
)

// ParseKeySet reads a JWKS. Keys that no token can be verified with, such as symmetric, weak or nameless ones or those meant
// for encryption, are left out; a set in which no other is left is an error.
func ParseKeySet(data []byte) (*KeySet, error) {
	if len(data) > maxKeySet {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxKeySet)
	}
	parsed, err := jwk.Parse(data, jwk.WithIgnoreParseError(true)) // an exotic key among them is no reason to do without the others
	if err != nil {
		return nil, errors.New("the key set is no JWKS") // the library's error shows parts of it
	}
	if parsed.Len() > maxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxKeys)
	}
	s := &KeySet{keys: make(map[string]*Key, parsed.Len())}
	for i := range parsed.Len() {
		raw, _ := parsed.Key(i)
		if k, ok := usable(raw); ok {
			s.keys[k.ID] = k
		}
	}
	if len(s.keys) == 0 {
		return nil, errors.New("the key set has no key that can verify a token")
	}
	return s, nil
}

func usable(raw jwk.Key) (*Key, bool) {
	id, ok := raw.KeyID()
	if use, set := raw.KeyUsage(); !ok || id == "" || set && use != string(jwk.ForSignature) {
		return nil, false
	}
	public, err := raw.PublicKey()
	if err != nil {
		return nil, false
	}
	k := &Key{ID: id}
	if err := jwk.Export(public, &k.public); err != nil {
		return nil, false
	}
	k.algorithms = algorithms(k.public)
	if own, set := raw.Algorithm(); set {
		k.algorithms = slices.DeleteFunc(k.algorithms, func(a jwa.SignatureAlgorithm) bool { return a.String() != own.String() })
	}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil || len(k.algorithms) == 0 {
		return nil, false
	}
	k.print = base64.RawURLEncoding.EncodeToString(sum)
	return k, true
}

// algorithms are those that a public key is good for: no symmetric one among them, whatever a token says.
func algorithms(public any) []jwa.SignatureAlgorithm {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 256:
			return []jwa.SignatureAlgorithm{jwa.ES256()}
		case 384:
			return []jwa.SignatureAlgorithm{jwa.ES384()}
		case 521:
			return []jwa.SignatureAlgorithm{jwa.ES512()}
		}
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSABits {
			return []jwa.SignatureAlgorithm{jwa.RS256(), jwa.RS384(), jwa.RS512(), jwa.PS256(), jwa.PS384(), jwa.PS512()}
		}
	case ed25519.PublicKey:
		return []jwa.SignatureAlgorithm{jwa.EdDSA()}
	}
	return nil
}

// algorithm gives the one that a token names, if the key is good for it.
func (k *Key) algorithm(name string) (jwa.SignatureAlgorithm, bool) {
	for _, a := range k.algorithms {
		if a.String() == name {
			return a, true
		}
	}
	return jwa.SignatureAlgorithm{}, false
}

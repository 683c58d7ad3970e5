package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"
)

const (
	testIssuer   = "https://shop.example"
	testAudience = "shop"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func newKey(t testing.TB, begins time.Time) SigningKey {
	t.Helper()
	k, err := NewSigningKey(begins)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keySet(t testing.TB, keys ...SigningKey) *KeySet {
	t.Helper()
	jwks, err := PublicKeySet(keys)
	if err != nil {
		t.Fatal(err)
	}
	set, err := ParseKeySet(jwks)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func newVerifier(t testing.TB, keys Source, now func() time.Time) *Verifier {
	t.Helper()
	v, err := NewVerifier(Options{Issuer: testIssuer, Audience: testAudience, Keys: keys, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newIssuer(t testing.TB, now func() time.Time, keys ...SigningKey) *Issuer {
	t.Helper()
	i, err := NewIssuer(IssuerOptions{Issuer: testIssuer, Audience: testAudience, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Use(keys); err != nil {
		t.Fatal(err)
	}
	return i
}

func issue(t testing.TB, i *Issuer, g Grant) string {
	t.Helper()
	token, _, err := i.Issue(g)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

type object = map[string]any

// claims are those of a good token, with changes; a nil takes one away.
func claims(changes object) object {
	c := object{
		"iss": testIssuer, "aud": testAudience, "sub": "ada", "client_id": "web", "scope": "orders:read orders:write",
		"iat": noon.Unix(), "nbf": noon.Unix(), "exp": noon.Add(10 * time.Minute).Unix(),
	}
	return changed(c, changes)
}

func changed(o, changes object) object {
	maps.Copy(o, changes)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

func segment(t testing.TB, v any) string {
	t.Helper()
	if text, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// forge makes a token by hand, so that it can be wrong in any way.
func forge(t testing.TB, header, payload any, sign func([]byte) []byte) string {
	t.Helper()
	signed := segment(t, header) + "." + segment(t, payload)
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(signed)))
}

func unsigned([]byte) []byte { return nil }

func es256(t testing.TB, key *ecdsa.PrivateKey) func([]byte) []byte {
	return func(data []byte) []byte {
		sum := sha256.Sum256(data)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

func rs256(t testing.TB, key *rsa.PrivateKey) func([]byte) []byte {
	return func(data []byte) []byte {
		sum := sha256.Sum256(data)
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
}

func hs256(secret []byte) func([]byte) []byte {
	return func(data []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(data)
		return mac.Sum(nil)
	}
}

func otherCurve(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecJWK(id string, key *ecdsa.PublicKey) object {
	point, err := key.Bytes() // 4, x, y
	if err != nil {
		panic(err)
	}
	x, y := point[1:len(point)/2+1], point[len(point)/2+1:]
	return object{"kty": "EC", "kid": id, "crv": key.Curve.Params().Name, "x": encode(x), "y": encode(y)}
}

func rsaJWK(id string, key *rsa.PublicKey) object {
	return object{"kty": "RSA", "kid": id, "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

package auth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerifyGivesTheIdentityOfAnIssuedToken(t *testing.T) {
	now := &clock{now: noon}
	issuer := newIssuer(t, now.Now, newKey(t, noon))
	v := newVerifier(t, issuer, now.Now)
	token := issue(t, issuer, Grant{Subject: "ada", Client: "web", Scopes: []string{"orders:read", "orders:write"}})
	want := &Identity{Subject: "ada", Client: "web", Scopes: []string{"orders:read", "orders:write"}, Expires: noon.Add(10 * time.Minute)}
	for range 2 { // fresh, and remembered
		got, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestVerifyAcceptsWhatOtherIssuersDo(t *testing.T) {
	key := newKey(t, noon)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := parseSet(t, ecJWK(key.ID, &key.private().PublicKey), rsaJWK("rsa", &rsaKey.PublicKey))
	sign := es256(t, key.private())
	for name, token := range map[string]string{
		"audiences":    forge(t, object{"alg": "ES256", "kid": key.ID}, claims(object{"aud": []string{"x", testAudience}}), sign),
		"RSA":          forge(t, object{"alg": "RS256", "kid": "rsa", "typ": "JWT"}, claims(nil), rs256(t, rsaKey)),
		"no scopes":    forge(t, object{"alg": "ES256", "kid": key.ID}, claims(object{"scope": nil, "client_id": nil}), sign),
		"no nbf":       forge(t, object{"alg": "ES256", "kid": key.ID}, claims(object{"nbf": nil, "iat": nil}), sign),
		"just expired": forge(t, object{"alg": "ES256", "kid": key.ID}, claims(object{"exp": noon.Add(-20 * time.Second).Unix()}), sign),
		"fast clock":   forge(t, object{"alg": "ES256", "kid": key.ID}, claims(object{"nbf": noon.Add(20 * time.Second).Unix()}), sign),
	} {
		if _, err := newVerifier(t, set, func() time.Time { return noon }).Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyRefusesHostileTokens(t *testing.T) {
	key, stranger := newKey(t, noon), newKey(t, noon)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := parseSet(t, ecJWK(key.ID, &key.private().PublicKey), rsaJWK("rsa", &rsaKey.PublicKey))
	der, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})

	header := func(changes object) object {
		return changed(object{"alg": "ES256", "kid": key.ID, "typ": "at+jwt"}, changes)
	}
	sign := es256(t, key.private())
	good := forge(t, header(nil), claims(nil), sign)
	parts := strings.Split(good, ".")
	later, before := noon.Add(time.Minute).Unix(), noon.Add(-time.Minute).Unix()

	for _, test := range []struct {
		name, token string
		want        error
	}{
		{"empty", "", ErrMalformed},
		{"text", "hello", ErrMalformed},
		{"dots", "..", ErrMalformed},
		{"too large", forge(t, header(nil), claims(object{"x": strings.Repeat("x", maxToken)}), sign), ErrMalformed},
		{"JSON serialisation", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]), ErrMalformed},
		{"encrypted", good + ".x.y", ErrMalformed},
		{"alg none", forge(t, header(object{"alg": "none"}), claims(nil), unsigned), ErrSignature},
		{"alg None", forge(t, header(object{"alg": "None"}), claims(nil), unsigned), nil},
		{"alg missing", forge(t, header(object{"alg": nil}), claims(nil), sign), ErrMalformed},
		{"alg of another key", forge(t, header(object{"alg": "RS256"}), claims(nil), rs256(t, rsaKey)), ErrSignature},
		{"HMAC with the public key", forge(t, header(object{"alg": "HS256", "kid": "rsa"}), claims(nil), hs256(publicPEM)), ErrSignature},
		{"HMAC with the modulus", forge(t, header(object{"alg": "HS256", "kid": "rsa"}), claims(nil), hs256(rsaKey.N.Bytes())), ErrSignature},
		{"signature missing", parts[0] + "." + parts[1] + ".", ErrMalformed},
		{"signature of zeros", forge(t, header(nil), claims(nil), func([]byte) []byte { return make([]byte, 64) }), ErrSignature},
		{"signature of another token", parts[0] + "." + segment(t, claims(object{"sub": "eve"})) + "." + parts[2], ErrSignature},
		{"a stranger's signature", forge(t, header(nil), claims(nil), es256(t, stranger.private())), ErrSignature},
		{"a stranger's key", forge(t, header(object{"kid": stranger.ID}), claims(nil), es256(t, stranger.private())), ErrUnknownKey},
		{"a key of its own", forge(t, header(object{"jwk": ecJWK("x", &stranger.private().PublicKey)}), claims(nil), es256(t, stranger.private())), ErrSignature},
		{"a key from elsewhere", forge(t, header(object{"jku": "https://evil.example/jwks"}), claims(nil), es256(t, stranger.private())), ErrSignature},
		{"no kid", forge(t, header(object{"kid": nil}), claims(nil), sign), ErrMalformed},
		{"kid of a path", forge(t, header(object{"kid": "../../dev/null"}), claims(nil), hs256(nil)), ErrUnknownKey},
		{"huge kid", forge(t, header(object{"kid": strings.Repeat("k", maxKeyID+1)}), claims(nil), sign), ErrMalformed},
		{"unknown extension", forge(t, header(object{"crit": []string{"x"}, "x": 1}), claims(nil), sign), ErrMalformed},
		{"no access token", forge(t, header(object{"typ": "logout+jwt"}), claims(nil), sign), ErrMalformed},

		{"expired", forge(t, header(nil), claims(object{"exp": before}), sign), ErrExpired},
		{"no exp", forge(t, header(nil), claims(object{"exp": nil}), sign), ErrClaims},
		{"exp is text", forge(t, header(nil), claims(object{"exp": "tomorrow"}), sign), nil},
		{"not yet", forge(t, header(nil), claims(object{"nbf": later}), sign), ErrNotYet},
		{"issued in the future", forge(t, header(nil), claims(object{"iat": later}), sign), ErrNotYet},
		{"another issuer", forge(t, header(nil), claims(object{"iss": "https://evil.example"}), sign), ErrForeign},
		{"no issuer", forge(t, header(nil), claims(object{"iss": nil}), sign), nil},
		{"another audience", forge(t, header(nil), claims(object{"aud": "bank"}), sign), ErrForeign},
		{"audience as a prefix", forge(t, header(nil), claims(object{"aud": testAudience + "s"}), sign), ErrForeign},
		{"no audience", forge(t, header(nil), claims(object{"aud": nil}), sign), nil},
		{"no subject", forge(t, header(nil), claims(object{"sub": nil}), sign), ErrClaims},
		{"scope is a list", forge(t, header(nil), claims(object{"scope": []string{"admin"}}), sign), ErrClaims},
		{"many scopes", forge(t, header(nil), claims(object{"scope": strings.Repeat("a ", maxScopes+1)}), sign), ErrClaims},
		{"claims are a list", forge(t, header(nil), []int{1}, sign), nil},
		{"claims are no JSON", forge(t, header(nil), "not json", sign), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVerifier(t, set, func() time.Time { return noon })
			_, err := v.Verify(t.Context(), test.token)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			for _, part := range strings.Split(test.token, ".") {
				if len(part) > 8 && strings.Contains(err.Error(), part) {
					t.Errorf("the error shows the token: %v", err)
				}
			}
		})
	}
	if _, err := newVerifier(t, set, func() time.Time { return noon }).Verify(t.Context(), good); err != nil {
		t.Errorf("the token that the others derive from: %v", err)
	}
}

func parseSet(t testing.TB, keys ...object) *KeySet {
	t.Helper()
	data, err := json.Marshal(object{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	set, err := ParseKeySet(data)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestRememberedTokenEndsWithItsTime(t *testing.T) {
	now := &clock{now: noon}
	issuer := newIssuer(t, now.Now, newKey(t, noon))
	v := newVerifier(t, issuer, now.Now)
	token := issue(t, issuer, Grant{Subject: "ada"})
	for at, want := range map[time.Duration]error{0: nil, 10*time.Minute + 29*time.Second: nil, 10*time.Minute + 30*time.Second: ErrExpired, -time.Minute: ErrNotYet} {
		now.set(noon)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		now.set(noon.Add(at))
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("after %s: %v, want %v", at, err, want)
		}
	}
}

func TestRememberedTokenEndsWithItsKey(t *testing.T) {
	now := &clock{now: noon}
	first, second := newKey(t, noon), newKey(t, noon)
	issuer := newIssuer(t, now.Now, first)
	v := newVerifier(t, issuer, now.Now)
	token := issue(t, issuer, Grant{Subject: "ada"})
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := issuer.Use([]SigningKey{second}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("error %v, want %v", err, ErrUnknownKey)
	}
	replaced := parseSet(t, ecJWK(first.ID, &second.private().PublicKey))
	v.opt.Keys = replaced
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrSignature) {
		t.Errorf("another key of the same id: error %v, want %v", err, ErrSignature)
	}
}

func TestRecentIsBounded(t *testing.T) {
	var r recent
	first := digest("first")
	r.add(first, &remembered{key: "first"})
	for n := range 3 * generation {
		r.add(digest(fmt.Sprint(n)), &remembered{})
		if n == generation {
			if r.find(first) == nil {
				t.Error("what was used is forgotten before what was not")
			}
		}
	}
	if n := len(r.now) + len(r.old); n > 2*generation {
		t.Errorf("%d tokens are remembered", n)
	}
	if r.find(first) != nil {
		t.Error("what is not used is remembered")
	}
}

func TestKeySetLeavesOutWhatCannotVerify(t *testing.T) {
	good := newKey(t, noon)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no weak keys")
	}
	set := parseSet(t,
		ecJWK("good", &good.private().PublicKey),
		ecJWK("", &good.private().PublicKey),
		changed(ecJWK("enc", &good.private().PublicKey), object{"use": "enc"}),
		changed(ecJWK("alg", &good.private().PublicKey), object{"alg": "ES384"}),
		changed(ecJWK("hs", &good.private().PublicKey), object{"alg": "HS256"}),
		object{"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
		rsaJWK("weak", &weak.PublicKey),
	)
	if set.Len() != 1 || set.keys["good"] == nil {
		t.Errorf("keys %v", set.keys)
	}
	for _, bad := range []string{"", "[]", "{}", `{"keys":[]}`, `{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}`, strings.Repeat(" ", maxKeySet+1)} {
		if _, err := ParseKeySet([]byte(bad)); err == nil {
			t.Errorf("%.20q is accepted", bad)
		}
	}
	p384 := parseSet(t, ecJWK("p384", &otherCurve(t).PublicKey))
	if got := p384.keys["p384"].algorithms[0].String(); got != "ES384" {
		t.Errorf("algorithm %s", got)
	}
}

// FuzzParseKeySet reads key sets as an issuer, or somebody in its place, may publish them. Whatever is taken can verify, and never with a
// secret.
func FuzzParseKeySet(f *testing.F) {
	good, err := PublicKeySet([]SigningKey{newKey(f, noon)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"},{"kty":"EC","kid":"b","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"c","n":"AQAB","e":"AQAB"},{"kty":"OKP","kid":"","crv":"Ed25519","x":""}]}`))
	f.Add([]byte(`{"kty":"EC"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseKeySet(data)
		if (set == nil) == (err == nil) {
			t.Fatalf("set %v and error %v", set, err)
		}
		if err != nil {
			return
		}
		if set.Len() == 0 || set.Len() > maxKeys {
			t.Fatalf("%d keys", set.Len())
		}
		for id, key := range set.keys {
			if id == "" || key.ID != id || key.public == nil || key.print == "" || len(key.algorithms) == 0 {
				t.Fatalf("%q: %+v", id, key)
			}
			for _, algorithm := range key.algorithms {
				if algorithm.IsSymmetric() || algorithm.String() == "none" {
					t.Fatalf("%q is good for %s", id, algorithm)
				}
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	key := newKey(f, noon)
	set := keySet(f, key)
	sign := es256(f, key.private())
	good := forge(f, object{"alg": "ES256", "kid": key.ID}, claims(nil), sign)
	f.Add(good)
	f.Add(forge(f, object{"alg": "none", "kid": key.ID}, claims(nil), unsigned))
	f.Add(forge(f, object{"alg": "ES256", "kid": key.ID, "crit": []string{"b64"}, "b64": false}, claims(nil), sign))
	f.Add("..")
	f.Add(`{"signatures":[]}`)
	// Only a signed text is a good token, whatever else is tried: the good one's first two parts.
	signed := good[:strings.LastIndexByte(good, '.')]
	f.Fuzz(func(t *testing.T, token string) {
		v := newVerifier(t, set, func() time.Time { return noon })
		identity, err := v.Verify(context.Background(), token)
		if (identity == nil) == (err == nil) {
			t.Fatalf("identity %v and error %v", identity, err)
		}
		if err == nil && !strings.HasPrefix(token, signed+".") {
			t.Fatalf("%q is accepted", token)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	now := func() time.Time { return noon }
	issuer := newIssuer(b, now, newKey(b, noon))
	token := issue(b, issuer, Grant{Subject: "ada", Scopes: []string{"orders:read"}})
	b.Run("fresh", func(b *testing.B) {
		for b.Loop() {
			v := newVerifier(b, issuer, now)
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remembered", func(b *testing.B) {
		v := newVerifier(b, issuer, now)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}

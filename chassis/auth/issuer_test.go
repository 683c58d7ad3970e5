package auth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTokensSurviveARotation(t *testing.T) {
	now := &clock{now: noon}
	rotation := Rotation{}.WithDefaults()
	issuer := newIssuer(t, now.Now, newKey(t, noon))
	keys := []SigningKey{issuer.keys.Load().sorted[0]}
	// A verifier that looks at the keys as seldom as it may, and tokens of every five minutes of five days.
	v := newVerifier(t, issuer, now.Now)
	var cached *KeySet
	signers := map[string]bool{}
	for at := noon; at.Before(noon.Add(5 * 24 * time.Hour)); at = at.Add(5 * time.Minute) {
		now.set(at)
		if begins, due := rotation.Due(keys, at); due {
			keys = append(keys, newKey(t, begins))
		}
		for _, gone := range rotation.Retired(keys, at) {
			keys = without(keys, gone.ID)
		}
		if err := issuer.Use(keys); err != nil {
			t.Fatal(err)
		}
		if at.Sub(noon)%(50*time.Minute) == 0 {
			cached = issuer.keys.Load().public
		}
		token := issue(t, issuer, Grant{Subject: "ada"})
		header, err := readHeader(token)
		if err != nil {
			t.Fatal(err)
		}
		signers[header.key] = true
		if _, err := cached.Key(t.Context(), header.key); err != nil {
			t.Fatalf("%s: who fetched the keys 50 min ago cannot verify", at)
		}
		now.set(at.Add(10 * time.Minute))
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
	}
	if len(signers) != 5 || len(keys) > 3 {
		t.Errorf("%d keys signed in five days, %d are left", len(signers), len(keys))
	}
}

func without(keys []SigningKey, id string) (left []SigningKey) {
	for _, k := range keys {
		if k.ID != id {
			left = append(left, k)
		}
	}
	return left
}

func TestRotationAfterALongSleepPublishesFirst(t *testing.T) {
	keys := []SigningKey{newKey(t, noon)}
	now := noon.Add(30 * 24 * time.Hour)
	begins, due := Rotation{}.WithDefaults().Due(keys, now)
	if !due || !begins.Equal(now.Add(time.Hour)) {
		t.Errorf("due %v at %s", due, begins)
	}
	if begins, due := (Rotation{}).WithDefaults().Due(nil, now); !due || !begins.Equal(now) {
		t.Errorf("the first key: due %v at %s", due, begins)
	}
}

func TestIssuerWithoutACurrentKeyIssuesNothing(t *testing.T) {
	now := func() time.Time { return noon }
	empty, err := NewIssuer(IssuerOptions{Issuer: testIssuer, Audience: testAudience, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for name, i := range map[string]*Issuer{"none": empty, "only a next one": newIssuer(t, now, newKey(t, noon.Add(time.Hour)))} {
		if _, _, err := i.Issue(Grant{Subject: "ada"}); !errors.Is(err, ErrNoKeys) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := empty.JWKS(); !errors.Is(err, ErrNoKeys) {
		t.Errorf("JWKS: %v", err)
	}
	if _, err := empty.Key(t.Context(), "a"); !errors.Is(err, ErrNoKeys) {
		t.Errorf("key: %v", err)
	}
}

func TestIssuedTokenIsAsDocumented(t *testing.T) {
	now := func() time.Time { return noon }
	key := newKey(t, noon)
	parts := strings.Split(issue(t, newIssuer(t, now, key), Grant{Subject: "ada", Client: "web", Scopes: []string{"a", "b"}}), ".")
	read := func(part string) (got object) {
		t.Helper()
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	header, payload := read(parts[0]), read(parts[1])
	if header["alg"] != "ES256" || header["kid"] != key.ID || header["typ"] != "at+jwt" {
		t.Errorf("header %v", header)
	}
	at := float64(noon.Unix())
	if payload["jti"] == "" || payload["iss"] != testIssuer || payload["aud"] != testAudience || payload["sub"] != "ada" || payload["client_id"] != "web" ||
		payload["scope"] != "a b" || payload["iat"] != at || payload["nbf"] != at || payload["exp"] != at+600 {
		t.Errorf("claims %v", payload)
	}
}

func TestPublishedKeysHaveNoSecret(t *testing.T) {
	jwks, err := PublicKeySet([]SigningKey{newKey(t, noon), newKey(t, noon)})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(jwks), `"d"`) || strings.Count(string(jwks), `"kid"`) != 2 {
		t.Errorf("%s", jwks)
	}
}

func newSecret(t *testing.T) string {
	t.Helper()
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return base64.StdEncoding.EncodeToString(raw[:])
}

func TestWrappedKeyOpensWithItsSecretAndIDOnly(t *testing.T) {
	wrap, err := NewKeyWrap(newSecret(t))
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, noon)
	wrapped, err := wrap.Wrap(key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := wrap.Unwrap(key.ID, noon, wrapped)
	if err != nil || again.ID != key.ID || !again.private().Equal(key.private()) {
		t.Fatalf("key %v, error %v", again, err)
	}
	if _, err := wrap.Unwrap("another", noon, wrapped); err == nil {
		t.Error("it opens under another id")
	}
	wrapped[len(wrapped)-1] ^= 1
	if _, err := wrap.Unwrap(key.ID, noon, wrapped); err == nil {
		t.Error("it opens after a change")
	}
	wrapped[len(wrapped)-1] ^= 1
	other, err := NewKeyWrap(newSecret(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Unwrap(key.ID, noon, wrapped); err == nil {
		t.Error("it opens with another secret")
	}
	for _, bad := range []string{"", "secret", base64.StdEncoding.EncodeToString(make([]byte, 16))} {
		if _, err := NewKeyWrap(bad); err == nil || strings.Contains(err.Error(), "secret") && bad == "secret" {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestSigningKeyShowsNoSecret(t *testing.T) {
	key := newKey(t, noon)
	secret, err := key.private().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", key, key, key), fmt.Sprint([]SigningKey{key})} {
		if strings.Contains(text, fmt.Sprintf("%d", secret[:8])) || strings.Contains(text, "PrivateKey{") {
			t.Error(text)
		}
	}
}

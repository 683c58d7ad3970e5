package proof

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer makes tokens as the platform's issuer does, and shows the keys that they are verified with.
type issuer struct {
	name, audience string
	key            *ecdsa.PrivateKey
	signer         jose.Signer
}

const keyID = "proof-1"

func newIssuer(name, audience string) (*issuer, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", keyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		return nil, fmt.Errorf("make a signer: %w", err)
	}
	return &issuer{name, audience, key, signer}, nil
}

// token is valid for that long, or was until that long ago.
func (i *issuer) token(scope string, valid time.Duration) (string, error) {
	now := time.Now()
	claims := map[string]any{
		"iss": i.name, "sub": "u-1", "aud": i.audience, "exp": now.Add(valid).Unix(), "iat": now.Add(min(0, valid) - time.Minute).Unix(), "scope": scope,
	}
	text, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text, nil
}

// serveKeys answers with the keys, and with 200 to anything else.
func (i *issuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == keysPath {
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: keyID, Algorithm: string(jose.ES256), Use: "sig"}}}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(set)
	}
}

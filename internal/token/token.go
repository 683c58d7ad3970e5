// Package token gets access tokens from the platform's own issuer, as its first client: one that may do all that the contracts name.
package token

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Client is who may ask for tokens before anybody has made another client.
const Client = "local"

// Issuer is the service that issues tokens, or nil: the platform's may be elsewhere, or not be written yet.
func Issuer(m *spec.Model) *spec.Service {
	issuer := m.Issuer()
	if issuer == nil || issuer.Contract == nil || issuer.Contract.Operations["issueToken"] == nil {
		return nil
	}
	return issuer
}

// Request asks an issuer for a token with these scopes; with all that the first client may have when none is named. The base is
// the issuer's URL without a path.
func Request(ctx context.Context, client *http.Client, base, secret string, scopes ...string) (string, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {Client}, "client_secret": {secret}, "scope": {strings.Join(scopes, " ")},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("get a token: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("get a token: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return "", fmt.Errorf("get a token: status %d: %w", resp.StatusCode, err)
	}
	if answer.AccessToken == "" {
		return "", fmt.Errorf("get a token: status %d: %s", resp.StatusCode, answer.Error)
	}
	return answer.AccessToken, nil
}

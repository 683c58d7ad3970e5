package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/contractfuzz"
)

// FuzzRequests looks for requests that the service cannot bear.
func FuzzRequests(f *testing.F) { contractfuzz.Run(f, service()) }

func TestCreatingIsIdempotent(t *testing.T) { contractfuzz.Idempotency(t, service()) }

func service() contractfuzz.Service {
	return contractfuzz.Service{Spec: spec, Wire: wire, Environ: firstClient, Authorization: authorization}
}

// firstClient may do everything.
func firstClient(string) []string {
	return []string{
		"APP_TOKENS_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "APP_TOKENS_LIFETIME=1h",
		"APP_TOKENS_CLIENT_ID=fuzz", "APP_TOKENS_CLIENT_SECRET=fuzz", "APP_TOKENS_CLIENT_SCOPES=users:read,users:write",
	}
}

// authorization asks the service itself for a token.
func authorization(ctx context.Context, base string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"fuzz"}, "client_secret": {"fuzz"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var token struct {
		Value string `json:"access_token"`
	}
	err = json.NewDecoder(resp.Body).Decode(&token)
	return "Bearer " + token.Value, err
}

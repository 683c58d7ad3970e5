package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/trellis-mesh/trellis/internal/token"
)

// clientSecretKey is where a service's secret holds that of the first client.
const clientSecretKey = "client-secret"

// withFirstClient tells the platform's issuer who may ask it for tokens, and for which scopes: all that the contracts name. The
// secret is one of the issuer's own, made with its stores. No file says so, because no production should have such a client.
func (p *Platform) withFirstClient(objects []*unstructured.Unstructured) {
	issuer := token.Issuer(p.Model)
	if issuer == nil {
		return
	}
	settings := []struct{ name, value string }{
		{"APP_TOKENS_CLIENT_ID", token.Client},
		{"APP_TOKENS_CLIENT_SECRET_FILE", "/var/run/stores/" + clientSecretKey},
		{"APP_TOKENS_CLIENT_SCOPES", strings.Join(p.Model.Scopes(), ",")},
	}
	for _, o := range objects {
		if o.GetKind() != "Deployment" || o.GetLabels()["app"] != issuer.Name {
			continue
		}
		containers(o, func(c map[string]any) {
			if c["name"] != issuer.Name {
				return
			}
			env, _ := c["env"].([]any)
			for _, s := range settings {
				named := func(e any) bool { entry, ok := e.(map[string]any); return ok && entry["name"] == s.name }
				if !slices.ContainsFunc(env, named) { // the environment's own setting stands
					env = append(env, map[string]any{"name": s.name, "value": s.value})
				}
			}
			c["env"] = env
		})
	}
}

// Token asks the platform's issuer, through the gateway, for a token with these scopes; with all that there are when none is named.
func (p *Platform) Token(ctx context.Context, scopes ...string) (string, error) {
	secret, err := p.ClientSecret(ctx)
	if err != nil {
		return "", err
	}
	return token.Request(ctx, p.Browser(), "https://"+p.Model.Platform.Gateway.Hosts[0], secret, scopes...)
}

// ClientSecret is the secret of token.Client, with which tokens are asked for.
func (p *Platform) ClientSecret(ctx context.Context) (string, error) {
	issuer := token.Issuer(p.Model)
	if issuer == nil {
		return "", errors.New("get a token: no service of the platform issues tokens")
	}
	if _, err := p.Open(ctx); err != nil {
		return "", err
	}
	o, err := p.client.dynamic.Resource(secrets).Namespace(p.Model.Platform.Namespace).Get(ctx, issuer.Name+"-stores", metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("get a token: %w", err)
	}
	held, err := secretData(o)
	if err != nil {
		return "", err
	}
	return string(held[clientSecretKey]), nil
}

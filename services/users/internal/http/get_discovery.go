package http

import (
	"context"
	"strings"

	"github.com/trellis-mesh/trellis/services/users/api"
)

// GetDiscovery tells where to get tokens and keys.
func (h *Handler) GetDiscovery(context.Context, api.GetDiscoveryRequestObject) (api.GetDiscoveryResponseObject, error) {
	base := strings.TrimRight(h.IssuerURL, "/")
	return api.GetDiscovery200JSONResponse{
		Issuer:                            h.IssuerURL,
		TokenEndpoint:                     base + "/oauth/token",
		JwksURI:                           base + "/.well-known/jwks.json",
		ResponseTypesSupported:            []string{},
		GrantTypesSupported:               []string{clientCredentials, passwordLogin},
		TokenEndpointAuthMethodsSupported: []string{"client_secret_basic", "client_secret_post"},
		ScopesSupported:                   h.UserScopes,
	}, nil
}

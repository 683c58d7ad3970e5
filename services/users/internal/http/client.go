package http

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"

	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/store"
)

var wrongClient = &grantError{"invalid_client", "the client or its secret is wrong"}

// authenticate tells which client asks. One that is not known takes as long as one with a wrong secret.
func (h *Handler) authenticate(ctx context.Context, header string, body *api.TokenRequest) (store.Client, error) {
	id, secret, err := credentials(header, body)
	if err != nil {
		return store.Client{}, err
	}
	client, err := h.Store.Client(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Client{}, err
	}
	right, err := h.Passwords.Verify(ctx, client.SecretHash, secret)
	if err != nil {
		return store.Client{}, err
	}
	if !right {
		return store.Client{}, wrongClient
	}
	return client, nil
}

// credentials reads them from the Authorization header or from the body, not from both (RFC 6749, section 2.3).
func credentials(header string, body *api.TokenRequest) (id, secret string, err error) {
	inBody := body.ClientSecret != nil
	if header == "" {
		if !inBody || text(body.ClientID) == "" {
			return "", "", &grantError{"invalid_client", "the client does not say who it is"}
		}
		return text(body.ClientID), text(body.ClientSecret), nil
	}
	if inBody {
		return "", "", &grantError{"invalid_request", "the client says twice who it is"}
	}
	scheme, encoded, _ := strings.Cut(header, " ")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	first, second, found := strings.Cut(string(raw), ":")
	if !strings.EqualFold(scheme, "Basic") || err != nil || !found {
		return "", "", wrongClient
	}
	// Both are form encoded within.
	id, err1 := url.QueryUnescape(first)
	secret, err2 := url.QueryUnescape(second)
	if err1 != nil || err2 != nil || body.ClientID != nil && *body.ClientID != id {
		return "", "", wrongClient
	}
	return id, secret, nil
}

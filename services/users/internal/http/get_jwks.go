package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/users/api"
)

// GetJwks gives the keys that tokens are signed with, now and next and until a moment ago. They may be kept for five minutes.
func (h *Handler) GetJwks(context.Context, api.GetJwksRequestObject) (api.GetJwksResponseObject, error) {
	jwks, err := h.Issuer.JWKS()
	if err != nil {
		return nil, withoutKeys(err)
	}
	answer := api.GetJwks200JSONResponse{Headers: api.GetJwks200ResponseHeaders{CacheControl: "public, max-age=300"}}
	if err := json.Unmarshal(jwks, &answer.Body); err != nil {
		return nil, fmt.Errorf("present the keys: %w", err)
	}
	return answer, nil
}

// withoutKeys tells a client to come back when the issuer has keys, and gives any other error as it is.
func withoutKeys(err error) error {
	if errors.Is(err, auth.ErrNoKeys) {
		return problem.Unavailable("no_keys", "There are no keys yet.").WithRetryAfter(time.Second).WithCause(err)
	}
	return err
}

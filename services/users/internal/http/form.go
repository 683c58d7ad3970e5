package http

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
)

// secrets are the parameters that have no business in a URL, which logs and histories keep (RFC 6749, section 2.3.1).
var secrets = []string{"client_secret", "password"}

// wellFormed refuses secrets in the query, and parameters that come twice (section 3.2).
func wellFormed(ctx context.Context) error {
	r, ok := ctx.Value(gin.ContextRequestKey).(*http.Request)
	if !ok {
		return nil // called by a program, not over HTTP
	}
	query := r.URL.Query()
	for _, name := range secrets {
		if query.Has(name) {
			return &grantError{"invalid_request", name + " is in the query: change that secret, and send it in the body"}
		}
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return &grantError{"invalid_request", "a parameter is there twice"}
		}
	}
	return nil
}

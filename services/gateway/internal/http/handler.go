// Package http answers the operations of the contract, one file an operation.
package http

import (
	"context"
	"fmt"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
	"github.com/trellis-mesh/trellis/services/gateway/internal/strangler"
	"github.com/trellis-mesh/trellis/services/gateway/internal/version"
)

// Deps are what a Handler works with.
type Deps struct {
	Proxy     *proxy.Proxy
	Strangler *strangler.Strangler
}

// Handler answers the operations of the contract. Its router must use version.Middleware.
type Handler struct {
	Deps
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(deps Deps) *Handler {
	return &Handler{Deps: deps}
}

// pass gives the answer of the callee that the request is meant for.
func (h *Handler) pass(ctx context.Context) (answer, error) {
	return h.answer(ctx, h.Proxy.Pass)
}

// answer asks for an answer and gives it the form that the client was written for.
func (h *Handler) answer(ctx context.Context, ask func(*gin.Context) (*proxy.Answer, error)) (answer, error) {
	c, ok := ctx.(*gin.Context)
	if !ok {
		return answer{}, fmt.Errorf("a %T is not the context that the generated server gives", ctx)
	}
	got, err := ask(c)
	if err != nil {
		return answer{}, err
	}
	if err := version.Shape(c.Request.Context(), got); err != nil {
		_ = got.Body.Close() // nobody reads it
		return answer{}, err
	}
	return answer{got}, nil
}

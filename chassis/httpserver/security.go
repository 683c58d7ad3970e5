package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Authorize decides whether a request may be made. It gets the request's headers and the alternatives of the operation's
// security, each as the scopes that it needs: one alternative is enough, and an empty one asks for any valid token. It gives
// the context that the handler gets. An error is answered as the problem that it is; one with a method Challenge() string
// also sets WWW-Authenticate.
type Authorize func(ctx context.Context, header http.Header, alternatives [][]string) (context.Context, error)

// authorize comes before validation: strangers need not be told what a request should look like.
func (s *Server) authorize(c *gin.Context) {
	r, _ := c.Request.Context().Value(requestKey{}).(*request)
	if r == nil || r.op.security == nil {
		return
	}
	ctx, err := s.opt.Authorize(r, c.Request.Header, r.op.security)
	if err == nil {
		c.Request = c.Request.WithContext(ctx)
		return
	}
	var challenged interface{ Challenge() string }
	if errors.As(err, &challenged) {
		if challenge := challenged.Challenge(); challenge != "" {
			c.Writer.Header().Set("WWW-Authenticate", challenge)
		}
	}
	problem.Abort(c, err)
}

// ContractSecured tells whether any operation of an OpenAPI document asks for a token.
func ContractSecured(contract []byte) (bool, error) {
	operations, err := loadContract(Options{Contract: contract})
	return secured(operations), err
}

// secured tells whether any operation asks for a token.
func secured(contract []*contractOperation) bool {
	return slices.ContainsFunc(contract, func(o *contractOperation) bool { return o.security != nil })
}

// securityOf gives the alternatives of an operation's security, nil when one of them asks for nothing.
func securityOf(doc *openapi3.T, op *openapi3.Operation) ([][]string, error) {
	requirements := doc.Security
	if op.Security != nil {
		requirements = *op.Security
	}
	var alternatives [][]string
	for _, requirement := range requirements {
		if len(requirement) == 0 {
			return nil, nil
		}
		scopes := []string{}
		for scheme, needed := range requirement {
			if err := isBearer(doc, scheme); err != nil {
				return nil, err
			}
			scopes = append(scopes, needed...)
		}
		slices.Sort(scopes)
		alternatives = append(alternatives, slices.Compact(scopes))
	}
	return alternatives, nil
}

// isBearer tells whether a scheme is one of those that come as a bearer token. To let a request through whose scheme nobody
// looks at would be worse than not to start.
func isBearer(doc *openapi3.T, name string) error {
	var scheme *openapi3.SecurityScheme
	if doc.Components != nil && doc.Components.SecuritySchemes[name] != nil {
		scheme = doc.Components.SecuritySchemes[name].Value
	}
	switch {
	case scheme == nil:
		return fmt.Errorf("security names the scheme %s, which components.securitySchemes does not have", name)
	case scheme.Type == "oauth2", scheme.Type == "openIdConnect", scheme.Type == "http" && scheme.Scheme == "bearer":
		return nil
	}
	return fmt.Errorf("security names the scheme %s of type %s; only bearer tokens are enforced: oauth2, openIdConnect, or http with scheme bearer", name, scheme.Type)
}

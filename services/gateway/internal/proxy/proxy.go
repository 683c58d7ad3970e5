// Package proxy passes requests on to the services behind the gateway, and their answers back.
//
// A request goes through the chassis' client of its callee, so that it has a deadline, a bulkhead, a breaker, a span, and the
// token and ids of the request that it is made for. Headers that are meant for one connection alone are dropped in both directions,
// and so are those with which a client could pretend to be a proxy or a service. What comes back as an error without being a problem was
// said by no service of ours, but by a proxy on the way, which may name addresses: the client gets a problem instead.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Proxy passes requests on.
type Proxy struct {
	clients map[string]*httpclient.Client
}

// New makes a proxy on the clients of the callees, by name. It takes all that Routes names.
func New(client func(callee string) (*httpclient.Client, error)) (*Proxy, error) {
	p := &Proxy{clients: map[string]*httpclient.Client{}}
	for operation, route := range Routes {
		if p.clients[route.Service] != nil {
			continue
		}
		c, err := client(route.Service)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", operation, err)
		}
		p.clients[route.Service] = c
	}
	return p, nil
}

// Pass sends the request on to the callee of its operation and gives the answer, whose body is still to come.
func (p *Proxy) Pass(c *gin.Context) (*Answer, error) {
	operation := httpserver.Operation(c.Request.Context())
	route, known := Routes[operation]
	if !known {
		return nil, problem.Internal(fmt.Errorf("the operation %q has no route", operation))
	}
	r, err := p.request(c, route)
	if err != nil {
		return nil, err
	}
	resp, err := p.clients[route.Service].HTTP.Do(r) //nolint:bodyclose // Answer.Send does, and usable where there is no answer
	if err != nil {
		return nil, withoutURL(err)
	}
	return usable(resp, route.Service, c.Request.URL.EscapedPath())
}

// request is the request as the callee gets it.
func (p *Proxy) request(c *gin.Context, route Route) (*http.Request, error) {
	path, err := route.path(c.Param("id"))
	if err != nil {
		return nil, err
	}
	address := p.clients[route.Service].URL + path
	if query := c.Request.URL.RawQuery; query != "" {
		address += "?" + query
	}
	ctx := httpclient.WithOperation(c.Request.Context(), route.Operation)
	r, err := http.NewRequestWithContext(ctx, c.Request.Method, address, http.NoBody)
	if err != nil {
		return nil, problem.Internal(fmt.Errorf("pass %s on: %w", route.Operation, err))
	}
	setBody(r, c.Request)
	r.Header = onward(c.Request)
	return r, nil
}

// setBody passes the body on as it comes. One that the chassis has read to check it can be sent again on another connection, when a
// kept one turns out to be closed.
func setBody(to, from *http.Request) {
	if from.Body == nil || from.ContentLength == 0 {
		return
	}
	held, ok := from.Body.(interface {
		io.ReaderAt
		Size() int64
	})
	if !ok {
		to.Body, to.ContentLength = from.Body, from.ContentLength
		return
	}
	to.ContentLength = held.Size()
	to.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(held, 0, held.Size())), nil }
	to.Body, _ = to.GetBody() // it gives no error
}

// withoutURL takes off what net/http says of a request that brought no answer: its address and query.
func withoutURL(err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		return sent.Err
	}
	return err
}

// Unusable is what the client is told of a callee whose answer is none of its contract: it never shows the answer itself, but for when,
// by the answer's header, to try again.
func Unusable(service string, status int, said http.Header, cause error) error {
	var told *problem.Problem
	switch status {
	case http.StatusTooManyRequests:
		told = problem.Unavailable("dependency_busy", "Too many calls to "+service+" are under way. Try again later.").
			WithRetryAfter(httpclient.RetryAfter(said))
	case http.StatusServiceUnavailable:
		told = problem.Unavailable("dependency_unavailable", "The service "+service+" cannot be reached. Try again later.").
			WithRetryAfter(httpclient.RetryAfter(said))
	case http.StatusGatewayTimeout:
		told = problem.Timeout("dependency_timeout", "The service "+service+" did not answer in time.")
	default:
		told = problem.BadGateway("dependency_failed", "The service "+service+" gave no usable answer.")
	}
	return told.WithCause(cause)
}

// Failed is what the client is told of an error of a typed client: that of the chassis as it is, and what could not be read as no
// usable answer.
func Failed(service string, err error) error {
	var call *httpclient.Error
	if errors.As(err, &call) || errors.Is(err, context.Canceled) {
		return withoutURL(err)
	}
	return Unusable(service, 0, nil, err)
}

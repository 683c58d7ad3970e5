package httpclient

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Options describe one callee. Every zero value but Name and URL stands for a safe default.
type Options struct {
	// Name is the callee's, as metrics, spans and errors call it.
	Name string
	// Caller is the name of the service that calls. Outside a mesh, which knows it by its certificate, the callee is told.
	Caller string
	// URL is where the callee's contract begins, such as http://catalog:8080.
	URL string

	// Timeout bounds the whole call, retries and body included. Default 3 s. A nearer deadline of the caller wins.
	Timeout time.Duration
	// Attempts counts the first try too; 1 means no retries. Default 3.
	Attempts int
	// PerTry bounds each attempt until its headers are there. Default: only Timeout does.
	PerTry time.Duration
	// Backoff spaces the attempts.
	Backoff Backoff
	// Mesh says that the mesh retries, so that the client must not.
	Mesh bool
	// Forward passes on the bearer token of the request that a call is made for, unless the call has an Authorization header
	// of its own. Set it for callees that may see a caller's token, and for no others.
	Forward bool

	// Concurrency is the number of calls under way at once. Default 100.
	Concurrency int
	// MaxWait is how long a call may wait for a place in a full bulkhead. Default: not at all.
	MaxWait time.Duration
	// Breaker says when to stop calling.
	Breaker Breaker
	// MaxBody limits the size of an answer in bytes. Default 10 MiB; negative means no limit.
	MaxBody int64

	// Transport sends the requests. Default: a connection pool of the client's own.
	Transport http.RoundTripper
	// Registerer gets the metrics. Default: none are kept.
	Registerer prometheus.Registerer
	// Tracer and Propagator default to OpenTelemetry's global ones.
	Tracer     trace.TracerProvider
	Propagator propagation.TextMapPropagator
	// Log gets the breaker's changes. Default slog.Default().
	Log *slog.Logger
}

// Client calls one callee.
type Client struct {
	// HTTP sends requests with all layers on. Give it to a generated client.
	HTTP *http.Client
	// URL is the callee's address without a slash at its end.
	URL string
}

// New validates the options and builds the client. It opens no connection.
func New(o Options) (*Client, error) {
	if o.Name == "" {
		return nil, errors.New("httpclient: Options.Name is empty: name the callee")
	}
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, fmt.Errorf("httpclient: the address of %s: %w", o.Name, err)
	}
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("httpclient: %s: %w", o.Name, err)
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("httpclient: register the metrics of %s: %w", o.Name, err)
	}

	t := attempt(o)
	t = withBreaker(o, m, t)
	t = withRetry(o, m, t)
	t = withBulkhead(o, m, t)
	t = withDeadline(o, t)
	t = withMetrics(o, m, t)
	return &Client{
		HTTP: &http.Client{
			Transport:     outermost{tripper: t, pool: o.Transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		URL: base,
	}, nil
}

func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, 3*time.Second)
	o.Attempts = cmp.Or(o.Attempts, 3)
	o.Concurrency = cmp.Or(o.Concurrency, 100)
	if o.MaxBody = cmp.Or(o.MaxBody, 10<<20); o.MaxBody < 0 {
		o.MaxBody = unlimited
	}
	o.Backoff = o.Backoff.withDefaults()
	o.Breaker = o.Breaker.withDefaults()
	if o.Transport == nil {
		o.Transport = pool(o.Concurrency)
	}
	if o.Tracer == nil {
		o.Tracer = otel.GetTracerProvider()
	}
	if o.Propagator == nil {
		o.Propagator = otel.GetTextMapPropagator()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Timeout < 0, o.PerTry < 0, o.MaxWait < 0:
		return errors.New("a timeout or wait is negative; leave it zero for the default")
	case o.Attempts < 1:
		return fmt.Errorf("%d attempts: at least the first one is needed", o.Attempts)
	case o.Concurrency < 1:
		return fmt.Errorf("a concurrency of %d lets no call through", o.Concurrency)
	}
	return o.Breaker.validate()
}

func parseBase(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no base URL; write it like http://catalog:8080", raw)
	}
	return strings.TrimRight(raw, "/"), nil
}

// pool is net/http's transport with limits meant for one callee: as many idle connections as calls, since the usual two
// make every third concurrent call dial anew, and none kept for longer than a server's shortest usual idle time.
func pool(concurrency int) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    2 * time.Second,
		MaxIdleConns:           concurrency,
		MaxIdleConnsPerHost:    concurrency,
		IdleConnTimeout:        30 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
}

// tripper is one layer: an http.RoundTripper as a function.
type tripper func(*http.Request) (*http.Response, error)

// RoundTrip calls t.
func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// outermost lets http.Client.CloseIdleConnections reach the pool under all layers.
type outermost struct {
	tripper
	pool http.RoundTripper
}

func (t outermost) CloseIdleConnections() {
	if p, ok := t.pool.(interface{ CloseIdleConnections() }); ok {
		p.CloseIdleConnections()
	}
}

// refuse closes the body of a request that is not sent, as http.RoundTripper demands.
func refuse(r *http.Request, err error) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, err
}

func jitter() float64 { return 0.5 + rand.Float64()/2 } //nolint:gosec // spreads retries, guards no secret

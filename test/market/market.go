// Package market fills a running shop with products, people and orders that are the same each time, and lets programs go shopping there:
// test/seed and test/play do.
//
//	shop, err := market.Local(ctx, ".")                   // what make up runs
//	filled, err := market.Fill(ctx, shop, market.Plan{Seed: 1, Products: 1000, Users: 200, Orders: 2000}, market.Options{})
//
// It reaches the services as their clients do, over HTTP with tokens, and knows nothing of their databases.
package market

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/trellis-mesh/trellis/internal/cluster"
	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/token"
	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	gatewayapi "github.com/trellis-mesh/trellis/services/gateway/api"
	inventoryapi "github.com/trellis-mesh/trellis/services/inventory/api"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	newsapi "github.com/trellis-mesh/trellis/services/news/api"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

// Shop is a running shop.
type Shop struct {
	// URL gives the address of a service.
	URL func(service string) string
	// HTTP sends requests there.
	HTTP *http.Client
	// Secret is that of token.Client.
	Secret string
	// Whole is whether every operation can be reached, and not only those that the shop lets in from outside.
	Whole bool
}

// Local is the shop that `make up` runs in the root.
func Local(ctx context.Context, root string) (*Shop, error) {
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		return nil, err
	}
	running, err := local.Find(ctx, root, model)
	if err != nil {
		return nil, err
	}
	return of(ctx, running)
}

// Of is the shop of a platform that this process runs.
func Of(ctx context.Context, platform *local.Platform) (*Shop, error) { return of(ctx, platform) }

func of(ctx context.Context, platform interface {
	Service(name string) local.Service
	ClientSecret(ctx context.Context) (string, error)
}) (*Shop, error) {
	secret, err := platform.ClientSecret(ctx)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}}
	return &Shop{URL: func(service string) string { return platform.Service(service).URL }, HTTP: client, Secret: secret, Whole: true}, nil
}

// From is the way of a person of a number to the shop. Where it runs as processes on this machine, it comes from a loopback address of
// the person's own, where the system has more than one: who looks around without a token is told from others by the address.
func (s *Shop) From(person int) http.RoundTripper {
	transport, ok := s.HTTP.Transport.(*http.Transport)
	if !ok || !s.Whole {
		return s.HTTP.Transport
	}
	own := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 77, byte(person>>8), byte(person))}}
	transport = transport.Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := own.DialContext(ctx, network, address)
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		return conn, err
	}
	return transport
}

// Cluster is the shop on the local cluster, behind its gateway at a URL such as https://trellis.localhost.
func Cluster(ctx context.Context, root, url string) (*Shop, error) {
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		return nil, err
	}
	platform, err := cluster.New(cluster.Options{Root: root, Model: model})
	if err != nil {
		return nil, err
	}
	secret, err := platform.ClientSecret(ctx)
	if err != nil {
		return nil, err
	}
	url = strings.TrimRight(url, "/")
	return &Shop{URL: func(string) string { return url }, HTTP: platform.Browser(), Secret: secret}, nil
}

// Clients are the services, as somebody with a token reaches them.
type Clients struct {
	Catalog   *catalogapi.ClientWithResponses
	Gateway   *gatewayapi.ClientWithResponses
	Inventory *inventoryapi.ClientWithResponses
	Legacy    *legacyapi.ClientWithResponses
	News      *newsapi.ClientWithResponses
	Orders    *ordersapi.ClientWithResponses
	Payments  *paymentsapi.ClientWithResponses
	Users     *usersapi.ClientWithResponses
}

// Clients gives the services to somebody whose requests are sent by transport, and have the token of who, if there is one.
func (s *Shop) Clients(transport http.RoundTripper, who *Login) (c Clients, err error) {
	client := &http.Client{Timeout: s.HTTP.Timeout, Transport: signed{transport, who}, CheckRedirect: s.HTTP.CheckRedirect}
	var errs [8]error
	c.Catalog, errs[0] = catalogapi.NewClientWithResponses(s.URL("catalog"), catalogapi.WithHTTPClient(client))
	c.Gateway, errs[1] = gatewayapi.NewClientWithResponses(s.URL("gateway"), gatewayapi.WithHTTPClient(client))
	c.Inventory, errs[2] = inventoryapi.NewClientWithResponses(s.URL("inventory"), inventoryapi.WithHTTPClient(client))
	c.Legacy, errs[3] = legacyapi.NewClientWithResponses(s.URL("legacy"), legacyapi.WithHTTPClient(client))
	c.News, errs[4] = newsapi.NewClientWithResponses(s.URL("news"), newsapi.WithHTTPClient(client))
	c.Orders, errs[5] = ordersapi.NewClientWithResponses(s.URL("orders"), ordersapi.WithHTTPClient(client))
	c.Payments, errs[6] = paymentsapi.NewClientWithResponses(s.URL("payments"), paymentsapi.WithHTTPClient(client))
	c.Users, errs[7] = usersapi.NewClientWithResponses(s.URL("users"), usersapi.WithHTTPClient(client))
	return c, errors.Join(errs[:]...)
}

// signed puts the token of somebody on requests.
type signed struct {
	next http.RoundTripper
	who  *Login
}

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.who == nil {
		return s.next.RoundTrip(r)
	}
	text, err := s.who.Token(r.Context())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+text)
	return s.next.RoundTrip(r)
}

// Login is somebody with a token, which is renewed when half of its life is over.
type Login struct {
	shop            *Shop
	transport       http.RoundTripper
	email, password string // empty: the shop's own program

	mu      sync.Mutex
	text    string
	subject string
	until   time.Time
}

// Program is the login of token.Client, which may do everything.
func (s *Shop) Program(transport http.RoundTripper) *Login {
	return &Login{shop: s, transport: transport}
}

// Person is the login of a user.
func (s *Shop) Person(transport http.RoundTripper, email, password string) *Login {
	return &Login{shop: s, transport: transport, email: email, password: password}
}

// ErrLogin means that there is no such user, or that the password is another.
var ErrLogin = errors.New("the login is refused")

// Token gives a token that is valid for a while.
func (l *Login) Token(ctx context.Context) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return l.text, nil
	}
	return l.text, l.renew(ctx)
}

// Again logs in anew.
func (l *Login) Again(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renew(ctx)
}

// Subject is whose token it is: a user's id.
func (l *Login) Subject(ctx context.Context) (string, error) {
	if _, err := l.Token(ctx); err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.subject, nil
}

func (l *Login) renew(ctx context.Context) error {
	users, err := usersapi.NewClientWithResponses(l.shop.URL("users"),
		usersapi.WithHTTPClient(&http.Client{Timeout: l.shop.HTTP.Timeout, Transport: l.transport}))
	if err != nil {
		return err
	}
	grant, client := "client_credentials", token.Client
	body := usersapi.TokenRequest{GrantType: &grant, ClientID: &client, ClientSecret: &l.shop.Secret}
	if l.email != "" {
		grant = "password"
		body.Username, body.Password = &l.email, &l.password
	}
	answer, err := users.IssueTokenWithFormdataBodyWithResponse(ctx, body)
	switch {
	case err != nil:
		return fmt.Errorf("log in: %w", err)
	case answer.JSON400 != nil && answer.JSON400.Error == "invalid_grant":
		return ErrLogin
	case answer.JSON200 == nil:
		return fmt.Errorf("log in: %s: %s", answer.Status(), answer.Body)
	}
	if l.subject, err = subjectOf(answer.JSON200.AccessToken); err != nil {
		return err
	}
	l.text, l.until = answer.JSON200.AccessToken, time.Now().Add(time.Duration(answer.JSON200.ExpiresIn)*time.Second/2)
	return nil
}

// subjectOf reads a token without verifying it: it came from the issuer itself.
func subjectOf(text string) (string, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return "", errors.New("log in: the token is no JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Sub string }
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil || claims.Sub == "" {
		return "", fmt.Errorf("log in: the token says of nobody that it is theirs: %w", err)
	}
	return claims.Sub, nil
}

// Patient sends a request again when the shop says that it has too much to do, after as long as it says.
type Patient struct {
	Next http.RoundTripper
	// Statuses are the answers that say so, when they have Retry-After.
	Statuses []int
	// Most is how often a request is sent; 0 for as often as needed.
	Most int
	// Waited is called before each wait, unless it is nil.
	Waited func(r *http.Request, status int)
}

// RoundTrip implements http.RoundTripper.
func (p Patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for sent := 1; ; sent++ {
		response, err := p.Next.RoundTrip(r)
		if err != nil || sent == p.Most {
			return response, err
		}
		wait, ok := p.wait(response)
		if !ok || r.Body != nil && r.GetBody == nil {
			return response, nil
		}
		if p.Waited != nil {
			p.Waited(r, response.StatusCode)
		}
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		_ = response.Body.Close()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-r.Context().Done():
			timer.Stop()
			response.Body = io.NopCloser(bytes.NewReader(text))
			return response, nil // the answer that there was
		}
		if r.Body != nil {
			again := r.Clone(r.Context())
			if again.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
			r = again
		}
	}
}

func (p Patient) wait(response *http.Response) (time.Duration, bool) {
	for _, status := range p.Statuses {
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if response.StatusCode == status && err == nil && seconds >= 0 {
			return time.Duration(seconds) * time.Second, true
		}
	}
	return 0, false
}

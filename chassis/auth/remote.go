package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// RemoteOptions say where an issuer publishes its keys. URL is needed; every other zero value stands for a default.
type RemoteOptions struct {
	// URL of the JWKS.
	URL string
	// Every is how often the keys are fetched; 5 min. It must be less than the time for which the issuer publishes a key
	// before it signs with it.
	Every time.Duration
	// AtMost is how soon the keys may be fetched again because a token names one that is not known, or because fetching them
	// failed; 5 s. Before the first key is there it is 100 ms.
	AtMost time.Duration
	// Timeout of one fetch; 3 s.
	Timeout time.Duration
	// Transport sends the requests; http.DefaultTransport.
	Transport http.RoundTripper
	// Log is told when the source goes away and when it comes back; slog.Default().
	Log *slog.Logger
}

// Remote has the keys of a JWKS at a URL. What it has it keeps, however long the source is away.
type Remote struct {
	opt    RemoteOptions
	client *http.Client
	keys   atomic.Pointer[KeySet]

	fetching chan struct{} // held while fetching
	mu       sync.Mutex
	last     time.Time // of the last attempt
	away     bool
}

// NewRemote validates the options. It fetches nothing: Run does, or the first token that needs it.
func NewRemote(opt RemoteOptions) (*Remote, error) {
	u, err := url.Parse(opt.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("auth: %q is no URL of a JWKS; write it like http://users:8080/.well-known/jwks.json", opt.URL)
	}
	opt.Every = cmp.Or(opt.Every, 5*time.Minute)
	opt.AtMost = cmp.Or(opt.AtMost, 5*time.Second)
	opt.Timeout = cmp.Or(opt.Timeout, 3*time.Second)
	if opt.Transport == nil {
		opt.Transport = http.DefaultTransport
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	return &Remote{
		opt: opt, fetching: make(chan struct{}, 1),
		client: &http.Client{Transport: opt.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // whoever answers there is not who was named
		}},
	}, nil
}

// Run keeps the keys up to date until ctx ends, and then returns nil.
func (r *Remote) Run(ctx context.Context) error {
	for {
		wait := r.opt.Every
		if r.fetch(ctx) != nil {
			wait = min(r.gap(), r.opt.Every)
		}
		// Not all replicas at once.
		timer := time.NewTimer(wait - time.Duration(rand.Float64()*float64(wait)/10)) //nolint:gosec // spreads load, guards no secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Key gives a key by its id. One that is not known is looked for at the source, at most every AtMost.
func (r *Remote) Key(ctx context.Context, id string) (*Key, error) {
	if k, err := r.known(ctx, id); err == nil {
		return k, nil
	}
	if err := r.fetchSoon(ctx); err != nil {
		return nil, err
	}
	return r.known(ctx, id)
}

func (r *Remote) known(ctx context.Context, id string) (*Key, error) {
	keys := r.keys.Load()
	if keys == nil {
		return nil, ErrNoKeys
	}
	return keys.Key(ctx, id)
}

// withoutKeys is the time between two attempts as long as there has never been a key: services that start together are ready
// in any order, and without keys nobody is let in.
const withoutKeys = 100 * time.Millisecond

// gap is how soon after an attempt there may be another.
func (r *Remote) gap() time.Duration {
	if r.keys.Load() == nil {
		return min(withoutKeys, r.opt.AtMost)
	}
	return r.opt.AtMost
}

// fetchSoon fetches unless somebody just has; who comes while another fetches waits for that. As long as there has never been
// a key it waits until it may try again.
func (r *Remote) fetchSoon(ctx context.Context) error {
	came := time.Now()
	select {
	case r.fetching <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.fetching }()
	r.mu.Lock()
	rest, tried := r.gap()-time.Since(r.last), r.last.After(came)
	r.mu.Unlock()
	if tried || rest > 0 && r.keys.Load() != nil {
		return nil
	}
	if rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// The keys are everyone's: that this request is given up is no reason to do without.
	r.get(context.WithoutCancel(ctx)) //nolint:errcheck // it was logged, and what matters is whether the key is there now
	return nil
}

func (r *Remote) fetch(ctx context.Context) error {
	select {
	case r.fetching <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.fetching }()
	return r.get(ctx)
}

func (r *Remote) get(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	keys, err := r.download(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = time.Now()
	if err != nil {
		if !r.away && !errors.Is(err, context.Canceled) {
			r.away = true
			r.opt.Log.WarnContext(ctx, "the keys of tokens cannot be fetched", "url", r.opt.URL, "error", err)
		}
		return err
	}
	if r.away {
		r.away = false
		r.opt.Log.InfoContext(ctx, "the keys of tokens can be fetched again", "url", r.opt.URL, "keys", keys.Len())
	}
	r.keys.Store(keys)
	return nil
}

func (r *Remote) download(ctx context.Context) (*KeySet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.opt.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	return ParseKeySet(data)
}

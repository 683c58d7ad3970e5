package auth

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// published is a JWKS endpoint that a test breaks and mends.
type published struct {
	*httptest.Server
	answer  atomic.Pointer[http.HandlerFunc]
	fetches atomic.Int64
}

func publish(t *testing.T, keys ...SigningKey) *published {
	t.Helper()
	p := &published{}
	p.serve(t, keys...)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		(*p.answer.Load())(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *published) serve(t *testing.T, keys ...SigningKey) {
	t.Helper()
	jwks, err := PublicKeySet(keys)
	if err != nil {
		t.Fatal(err)
	}
	p.answerWith(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks) })
}

func (p *published) answerWith(h http.HandlerFunc) { p.answer.Store(&h) }

func newRemote(t *testing.T, url string, atMost time.Duration) *Remote {
	t.Helper()
	r, err := NewRemote(RemoteOptions{URL: url, AtMost: atMost, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRemoteKeepsItsKeysWhileTheSourceIsAway(t *testing.T) {
	key := newKey(t, noon)
	for name, broken := range map[string]http.HandlerFunc{
		"error":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"nonsense": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"no keys":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[]}`) },
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", 2*maxKeySet))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
	} {
		p := publish(t, key)
		r := newRemote(t, p.URL, time.Nanosecond)
		if err := r.fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.answerWith(broken)
		if err := r.fetch(t.Context()); err == nil {
			t.Errorf("%s: the answer is taken for keys", name)
		}
		if _, err := r.Key(t.Context(), key.ID); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Key(t.Context(), "other"); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: error %v, want %v", name, err, ErrUnknownKey)
		}
		next := newKey(t, noon)
		p.serve(t, next)
		if _, err := r.Key(t.Context(), next.ID); err != nil {
			t.Errorf("%s: the source is back: %v", name, err)
		}
	}
}

func TestRemoteWithoutAnyKeysSaysSo(t *testing.T) {
	p := publish(t, newKey(t, noon))
	p.answerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	if _, err := newRemote(t, p.URL, time.Hour).Key(t.Context(), "a"); !errors.Is(err, ErrNoKeys) {
		t.Errorf("error %v, want %v", err, ErrNoKeys)
	}
}

// Services that start together are ready in any order: the first attempt may come before the issuer listens.
func TestRemoteTriesAgainUntilItHasKeys(t *testing.T) {
	key := newKey(t, noon)
	p := publish(t, key)
	p.answerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	r := newRemote(t, p.URL, time.Hour)
	if err := r.fetch(t.Context()); err == nil {
		t.Fatal("fetched from a source that is away")
	}
	p.serve(t, key)
	if _, err := r.Key(t.Context(), key.ID); err != nil {
		t.Error(err)
	}
	if _, err := r.Key(t.Context(), "made up"); !errors.Is(err, ErrUnknownKey) {
		t.Error(err)
	}
	if n := p.fetches.Load(); n != 2 {
		t.Errorf("%d fetches; once there are keys, a made-up one is not looked for at once", n)
	}
}

// Who waited while another asked in vain does not ask again.
func TestRemoteAsksOnceForAllThatWait(t *testing.T) {
	p := publish(t, newKey(t, noon))
	release := make(chan struct{})
	p.answerWith(func(w http.ResponseWriter, _ *http.Request) { <-release; w.WriteHeader(http.StatusServiceUnavailable) })
	r := newRemote(t, p.URL, time.Hour)
	const waiting = 20
	var asking sync.WaitGroup
	var come atomic.Int64
	for range waiting {
		asking.Go(func() {
			come.Add(1)
			if _, err := r.Key(t.Context(), "a"); !errors.Is(err, ErrNoKeys) {
				t.Error(err)
			}
		})
	}
	for come.Load() < waiting || p.fetches.Load() == 0 {
		runtime.Gosched()
	}
	close(release)
	asking.Wait()
	if n := p.fetches.Load(); n > 3 {
		t.Errorf("%d fetches for %d that waited", n, waiting)
	}
}

func TestRemoteLooksForMadeUpKeysOnce(t *testing.T) {
	key := newKey(t, noon)
	p := publish(t, key)
	r := newRemote(t, p.URL, time.Hour)
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if _, err := r.Key(t.Context(), "made up"); !errors.Is(err, ErrUnknownKey) {
				t.Errorf("error %v, want %v", err, ErrUnknownKey)
			}
			if _, err := r.Key(t.Context(), key.ID); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestRemoteDoesNotHoldARequestThatIsGivenUp(t *testing.T) {
	p := publish(t, newKey(t, noon))
	release := make(chan struct{})
	p.answerWith(func(http.ResponseWriter, *http.Request) { <-release })
	r := newRemote(t, p.URL, time.Hour)
	first := make(chan struct{})
	go func() {
		defer close(first)
		_, _ = r.Key(t.Context(), "a")
	}()
	for len(r.fetching) == 0 {
		select {
		case <-first:
			t.Fatal("the first request did not wait")
		default:
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Key(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(release)
	<-first
}

func TestRemoteRunFollowsTheSource(t *testing.T) {
	first, second := newKey(t, noon), newKey(t, noon)
	p := publish(t, first)
	r, err := NewRemote(RemoteOptions{URL: p.URL, Every: 5 * time.Millisecond, AtMost: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	has := func(id string) func() bool {
		return func() bool { _, err := r.known(ctx, id); return err == nil }
	}
	await(t, "the first key", has(first.ID))
	p.serve(t, second)
	await(t, "the second key", has(second.ID))
	await(t, "the first key's end", func() bool { return !has(first.ID)() })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestNewRemoteRefusesWhatIsNoURL(t *testing.T) {
	for _, url := range []string{"", "users:8080", "ftp://users/keys", "http://"} {
		if _, err := NewRemote(RemoteOptions{URL: url}); err == nil {
			t.Errorf("%q is accepted", url)
		}
	}
}

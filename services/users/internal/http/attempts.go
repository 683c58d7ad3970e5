package http

import (
	"crypto/sha256"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often a password may be guessed: a few times at once, then rarely. Each replica counts for itself.
const (
	freeAttempts = 10
	attemptEvery = 30 * time.Second
	maxNames     = 10_000
)

// attempts bounds the logins that fail, by name, whether there is such a user or not.
type attempts struct {
	now func() time.Time

	mu    sync.Mutex
	names map[[sha256.Size]byte]*rate.Limiter // by hash, so that a name of any length takes the same place
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, names: map[[sha256.Size]byte]*rate.Limiter{}}
}

// begin counts an attempt before its password is looked at, so that many at once are not let through together. It tells how
// long to wait; 0 means that the attempt may be made.
func (a *attempts) begin(name string) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, now := sha256.Sum256([]byte(name)), a.now()
	limiter := a.names[key]
	if limiter == nil {
		a.makeRoom(now)
		limiter = rate.NewLimiter(rate.Every(attemptEvery), freeAttempts)
		a.names[key] = limiter
	}
	if limiter.AllowN(now, 1) {
		return 0
	}
	return time.Duration((1 - limiter.TokensAt(now)) * float64(attemptEvery))
}

// succeeded forgets the attempts before.
func (a *attempts) succeeded(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.names, sha256.Sum256([]byte(name)))
}

// makeRoom forgets the names that may be tried as if they were new and, when there are none, any one.
func (a *attempts) makeRoom(now time.Time) {
	if len(a.names) < maxNames {
		return
	}
	for key, limiter := range a.names {
		if limiter.TokensAt(now) >= freeAttempts {
			delete(a.names, key)
		}
	}
	for key := range a.names {
		if len(a.names) < maxNames {
			return
		}
		delete(a.names, key)
	}
}

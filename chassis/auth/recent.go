package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// tokenDigest stands for a token that is not itself kept.
type tokenDigest [sha256.Size]byte

func digest(token string) tokenDigest { return sha256.Sum256([]byte(token)) }

// remembered is what a token was found to be.
type remembered struct {
	identity   *Identity
	begins     time.Time
	key, print string
}

// recent remembers good tokens: the last generation's and those of the one before, so that it needs no list of their use.
// Bad ones would let anybody fill it.
type recent struct {
	mu       sync.RWMutex
	now, old map[tokenDigest]*remembered
}

const generation = 4096

func (r *recent) find(sum tokenDigest) *remembered {
	r.mu.RLock()
	found, fresh := r.now[sum]
	if !fresh {
		found = r.old[sum]
	}
	r.mu.RUnlock()
	if found != nil && !fresh {
		r.add(sum, found)
	}
	return found
}

func (r *recent) add(sum tokenDigest, found *remembered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil || len(r.now) >= generation {
		r.old, r.now = r.now, make(map[tokenDigest]*remembered)
	}
	r.now[sum] = found
}

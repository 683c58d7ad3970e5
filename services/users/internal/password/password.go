// Package password keeps what people and programs log in with as argon2id hashes (RFC 9106), which are slow to guess from.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// The cost of a hash: OWASP's second choice, 19 MiB and two passes.
const (
	memory   = 19 << 10 // KiB
	passes   = 2
	saltSize = 16
	hashSize = 32
)

// atOnce bounds the memory that logins can take from the service's other work, and atMost how many wait for their turn: about
// a second's worth.
const (
	atOnce = 2
	atMost = 32
)

// ErrBusy means that as many hashes are waited for as there may be.
var ErrBusy = problem.Unavailable("busy", "There are too many logins at the moment.").WithRetryAfter(time.Second)

// prefix is how a hash of this cost begins in the usual text form.
var prefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$", argon2.Version, memory, passes)

// ErrUnreadable is a hash that no password can be compared with.
var ErrUnreadable = errors.New("read a password's hash")

// Hasher makes and verifies hashes, a few at a time.
type Hasher struct {
	queue   chan struct{} // of those who wait or have their turn
	turns   chan struct{}
	nobody  string // the hash that is compared for those who have none
	entropy func([]byte)
}

// New makes a hasher.
func New() *Hasher {
	h := &Hasher{
		queue: make(chan struct{}, atOnce+atMost), turns: make(chan struct{}, atOnce),
		entropy: func(b []byte) { _, _ = rand.Read(b) }, // Read never fails
	}
	var none [saltSize + hashSize]byte
	h.entropy(none[:])
	h.nobody = prefix + encode(none[:saltSize]) + "$" + encode(none[saltSize:])
	return h
}

// Hash gives the hash of a password, with a salt of its own. It waits for its turn until ctx ends, or
// fails with ErrBusy.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	var salt [saltSize]byte
	h.entropy(salt[:])
	sum, err := h.sum(ctx, password, salt[:])
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return prefix + encode(salt[:]) + "$" + encode(sum), nil
}

// Verify reports whether a hash is that of the password. The answer to an empty hash, which nobody's password has, takes as
// long as any other: how long it takes must not tell who has one.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.nobody
	}
	salt, want, err := parse(hash)
	if err != nil {
		return false, err
	}
	got, err := h.sum(ctx, password, salt)
	if err != nil {
		return false, fmt.Errorf("verify a password: %w", err)
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

func (h *Hasher) sum(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return nil, ErrBusy
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, passes, memory, 1, hashSize), nil
}

func parse(hash string) (salt, sum []byte, err error) {
	rest, ok := strings.CutPrefix(hash, prefix)
	if !ok {
		return nil, nil, fmt.Errorf("%w: it is of another kind or cost", ErrUnreadable)
	}
	first, second, _ := strings.Cut(rest, "$")
	salt, err1 := base64.RawStdEncoding.DecodeString(first)
	sum, err2 := base64.RawStdEncoding.DecodeString(second)
	if err1 != nil || err2 != nil || len(salt) != saltSize || len(sum) != hashSize {
		return nil, nil, fmt.Errorf("%w: it is damaged", ErrUnreadable)
	}
	return salt, sum, nil
}

func encode(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

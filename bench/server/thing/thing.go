// Package thing is the one resource that every compared server serves: a small JSON answer from memory, found by a
// path parameter whose length is checked. Sharing it keeps the comparison about the frameworks.
package thing

import (
	"errors"
	"sync"
	"time"
	"unicode/utf8"
)

// SeedID is the identifier that each store starts with.
const SeedID = "0b8e4d1c-6f0a-4c39-9a51-2f7d3e1b6c80"

// MaxLength is the greatest number of characters of an identifier, as in the contract of the generated service; the least is 1.
const MaxLength = 64

// ErrInvalidID says that an identifier does not follow the rule.
var ErrInvalidID = errors.New("id: want 1 to 64 characters")

// Thing is the answer's body.
type Thing struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
}

// CheckID validates a path parameter by hand-written code, as the validators that frameworks generate do.
func CheckID(id string) error {
	if length := utf8.RuneCountInString(id); length < 1 || length > MaxLength {
		return ErrInvalidID
	}
	return nil
}

// Store keeps things in memory. It is safe for concurrent use.
type Store struct {
	mu     sync.RWMutex
	things map[string]Thing
}

// NewStore returns a store that holds one thing, SeedID.
func NewStore() *Store {
	seed := Thing{ID: SeedID, Name: "first", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	return &Store{things: map[string]Thing{seed.ID: seed}}
}

// Find returns the thing of that identifier and whether there is one.
func (s *Store) Find(id string) (Thing, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.things[id]
	return t, ok
}

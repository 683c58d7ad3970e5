package store

import (
	"errors"
	"testing"
	"time"
)

func TestClientIsKeptAsItIsNow(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Client(t.Context(), "web"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
	for _, hash := range []string{"first", "second"} {
		if err := s.PutClient(t.Context(), Client{ID: "web", SecretHash: hash, Scopes: "a b", CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Client(t.Context(), "web"); err != nil || got.SecretHash != hash || got.Scopes != "a b" {
			t.Errorf("client %+v, error %v", got, err)
		}
	}
}

func TestUserByEmail(t *testing.T) {
	s, _ := newStore(t)
	want := newUser("1")
	want.PasswordHash = "hash"
	if err := s.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := s.UserByEmail(t.Context(), want.Email); err != nil || got.ID != "1" || got.PasswordHash != "hash" {
		t.Errorf("user %+v, error %v", got, err)
	}
	if _, err := s.UserByEmail(t.Context(), "eve@example.com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
}

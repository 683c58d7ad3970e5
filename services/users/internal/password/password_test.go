package password

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

func TestVerifyKnowsThePassword(t *testing.T) {
	h := New()
	hash, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.Hash(t.Context(), "correct horse")
	if err != nil || again == hash {
		t.Errorf("the same password has the same hash; %v", err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horse ": false, "": false} {
		if got, err := h.Verify(t.Context(), hash, password); got != want || err != nil {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
}

func TestNobodyHasNoPassword(t *testing.T) {
	if ok, err := New().Verify(t.Context(), "", ""); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestVerifyRefusesADamagedHash(t *testing.T) {
	h := New()
	for _, hash := range []string{"x", prefix, prefix + "a$b", h.nobody[:len(h.nobody)-4], strings.Replace(h.nobody, "m=19456", "m=99999999", 1)} {
		if ok, err := h.Verify(t.Context(), hash, "x"); ok || !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q: %v, %v", hash, ok, err)
		}
	}
}

func TestHashWaitsForItsTurn(t *testing.T) {
	h := New()
	for range atOnce {
		h.turns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestHashIsRefusedWhenTooManyWait(t *testing.T) {
	h := New()
	for range atOnce {
		h.turns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range atOnce + atMost {
		waiting.Go(func() {
			if _, err := h.Verify(ctx, "", "x"); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
	}
	for len(h.queue) < atOnce+atMost {
		runtime.Gosched()
	}
	soon, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	if _, err := h.Hash(soon, "x"); !errors.Is(err, ErrBusy) || problem.From(err).RetryAfter == 0 {
		t.Errorf("error %v, want %v", err, ErrBusy)
	}
	cancel()
	waiting.Wait()
	for range atOnce {
		<-h.turns
	}
	if _, err := h.Hash(t.Context(), "x"); err != nil {
		t.Errorf("once nobody waits: %v", err)
	}
}

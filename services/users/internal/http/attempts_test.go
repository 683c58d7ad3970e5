package http

import (
	"strconv"
	"testing"
	"time"
)

func TestAttemptsComeBackWithTime(t *testing.T) {
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	a := newAttempts(func() time.Time { return at })
	for range freeAttempts {
		if wait := a.begin("ada"); wait != 0 {
			t.Fatalf("wait %v", wait)
		}
	}
	if wait := a.begin("ada"); wait != attemptEvery {
		t.Errorf("wait %v, want %v", wait, attemptEvery)
	}
	at = at.Add(attemptEvery / 2)
	if wait := a.begin("ada"); wait != attemptEvery/2 {
		t.Errorf("wait %v, want %v", wait, attemptEvery/2)
	}
	at = at.Add(attemptEvery / 2)
	if wait := a.begin("ada"); wait != 0 {
		t.Errorf("wait %v after the time that was told", wait)
	}
	a.succeeded("ada")
	if wait := a.begin("ada"); wait != 0 || len(a.names) != 1 {
		t.Errorf("wait %v after a login, %d names", wait, len(a.names))
	}
}

func TestAttemptsKeepABoundedNumberOfNames(t *testing.T) {
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	a := newAttempts(func() time.Time { return at })
	for i := range maxNames {
		a.begin(strconv.Itoa(i))
	}
	a.begin("one more")
	if len(a.names) != maxNames {
		t.Errorf("%d names, want %d", len(a.names), maxNames)
	}
	at = at.Add(attemptEvery)
	a.begin("later")
	if len(a.names) != 1 {
		t.Errorf("%d names, but all others could be forgotten", len(a.names))
	}
}

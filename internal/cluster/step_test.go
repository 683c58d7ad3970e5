package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStepThatIsDoneIsOneLine(t *testing.T) {
	var out strings.Builder
	s := newSteps(&out, false, false)
	err := s.run(t.Context(), step{"stores", time.Minute, func(context.Context, sayer) (string, error) { return "3 databases", nil }})
	if err != nil || out.String() != "done   stores      0.0 s  3 databases\n" {
		t.Errorf("%v\n%q", err, out.String())
	}
	if len(s.done) != 1 || s.done[0].Step != "stores" || s.done[0].Done != "3 databases" {
		t.Errorf("report: %+v", s.done)
	}
}

func TestStepWithoutTerminalSaysEveryHalfMinuteWhatItDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		err := newSteps(&out, false, false).run(t.Context(), step{"istio", time.Hour, func(_ context.Context, say sayer) (string, error) {
			say("install %s", "istiod")
			time.Sleep(70 * time.Second) // in a bubble
			return "3 charts", nil
		}})
		want := "       istio      30.0 s  install istiod\n       istio     1:00 min  install istiod\ndone   istio     1:10 min  3 charts\n"
		if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

func TestStepOnTerminalReplacesItsLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		err := newSteps(&out, true, true).run(t.Context(), step{"mesh", time.Hour, func(_ context.Context, say sayer) (string, error) {
			say("apply %s", strings.Repeat("x", 200))
			time.Sleep(600 * time.Millisecond) // in a bubble
			return "9 objects", nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		const again = "\r\x1b[K"
		lines := strings.Split(out.String(), again)
		if len(lines) != 5 || strings.Count(out.String(), "\n") != 1 { // nothing, the begin, twice meanwhile, the end
			t.Fatalf("%q", lines)
		}
		if n := len([]rune(lines[2])); n != 100 || !strings.HasSuffix(lines[2], "…") {
			t.Errorf("%d characters may not fit the terminal: %q", n, lines[2])
		}
		if lines[4] != "\x1b[32mdone  \x1b[0m mesh        0.6 s  9 objects\n" {
			t.Errorf("%q", lines[4])
		}
	})
}

func TestStepIsEndedByItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		s := newSteps(&out, false, false)
		err := s.run(t.Context(), step{"cluster", 20 * time.Second, func(ctx context.Context, _ sayer) (string, error) {
			return "", until(ctx, time.Second, func(context.Context) error { return errors.New("the node is not ready") })
		}})
		mustSay(t, err, "cluster: it took longer than 20s", "the node is not ready")
		if !errors.Is(err, context.DeadlineExceeded) || out.String() != "failed cluster    20.0 s\n" || len(s.done) != 0 {
			t.Errorf("%v, %q, %v", err, out.String(), s.done)
		}
	})
}

func TestInterruptIsNotTakenForTheLimit(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := newSteps(&strings.Builder{}, false, false).run(ctx, step{"cluster", time.Hour, func(ctx context.Context, _ sayer) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	}})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "longer") {
		t.Error(err)
	}
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := until(t.Context(), time.Second, func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		if err != nil || tries != 3 {
			t.Errorf("%d tries, %v", tries, err)
		}
	})
	final := errors.New("the image does not exist")
	tries := 0
	err := until(t.Context(), time.Second, func(context.Context) error {
		tries++
		return &finalError{final}
	})
	if tries != 1 || !errors.Is(err, final) {
		t.Errorf("%d tries of what no time mends: %v", tries, err)
	}
}

func TestRound(t *testing.T) {
	for d, want := range map[time.Duration]string{
		40 * time.Millisecond: "0.0 s", 59*time.Second + 940*time.Millisecond: "59.9 s", time.Minute: "1:00 min", 153*time.Second + 999*time.Millisecond: "2:33 min",
	} {
		if got := round(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

package local_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trellis-mesh/trellis/internal/local"
)

func TestAServiceThatDoesNotStopIsKilled(t *testing.T) {
	o := options(t, io.Discard)
	o.Services, o.Env, o.StopTimeout = []string{"back"}, map[string]string{"STUB_BACK": "deaf"}, 50*time.Millisecond
	p := start(t, o)
	pid := p.PID("back")
	if err := p.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "back did not stop") {
		t.Errorf("Stop: %v", err)
	}
	if alive(pid) {
		t.Error("it still runs")
	}
}

func TestAServiceThatExitsIsReportedAndTheRestGoesOn(t *testing.T) {
	var out screen
	p := start(t, options(t, &out))
	pid := p.PID("front")
	_, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(p.Service("front").URL + "/exit")
	if err == nil {
		t.Fatal("front still answers")
	}
	if err := p.WaitExit(t.Context(), "front"); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "front exited: exit status 3") || !strings.Contains(got, `"msg":"giving up"`) {
		t.Errorf("the exit is not reported with its last lines:\n%s", got)
	}
	if p.PID("front") != pid || p.Endpoints()[1].Running {
		t.Error("it was started again")
	}
	if got := fetch(t, p.Service("back").URL+"/health/ready"); got != `{"status":"UP"}` {
		t.Errorf("the other service is affected: %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ctx); err == nil || err.Error() != "front exited" {
		t.Errorf("Wait: %v", err)
	}
	if err := p.Restart(t.Context(), "front"); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(ctx); err != nil {
		t.Errorf("Wait after Restart: %v", err)
	}
}

func TestKillAndRestart(t *testing.T) {
	p := start(t, options(t, io.Discard))
	for range 3 {
		pid, at := p.PID("back"), p.Service("back")
		if err := p.Kill("back", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if alive(pid) {
			t.Error("it still runs after SIGKILL")
		}
		if err := p.Kill("back", syscall.SIGKILL); err == nil {
			t.Error("a dead service was killed again")
		}
		if err := p.Restart(t.Context(), "back"); err != nil {
			t.Fatal(err)
		}
		if p.PID("back") == pid || p.Service("back") != at {
			t.Error("Restart kept the process or changed the address")
		}
	}
	if err := p.Err(); err != nil {
		t.Errorf("a wanted end counts as a failure: %v", err)
	}
	if err := p.Kill("nobody", syscall.SIGKILL); err == nil {
		t.Error("an unknown service was killed")
	}
}

func TestStartSaysWhatIsNotReady(t *testing.T) {
	tests := map[string]struct {
		fault string
		want  []string
	}{
		"a dependency is away": {"sick", []string{"back is not ready after 1s: database: connection refused", "last log lines:", "listening"}},
		"it exits":             {"crash", []string{"back exited: exit status 7", "panic: no such luck"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			o := options(t, io.Discard)
			o.Env, o.ReadyTimeout = map[string]string{"STUB_BACK": tt.fault}, time.Second
			_, err := local.Start(t.Context(), o)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("error %v, want one with %q", err, want)
				}
			}

			var out screen
			o.KeepGoing, o.Out = true, &out
			p := start(t, o)
			if got := fetch(t, p.Service("front").URL+"/health/ready"); got != `{"status":"UP"}` {
				t.Errorf("front: %s", got)
			}
			if err := p.Err(); err == nil || !strings.HasPrefix(err.Error(), "back ") {
				t.Errorf("Err: %v", err)
			}
			if !strings.Contains(out.String(), tt.want[0]) {
				t.Errorf("not reported:\n%s", &out)
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStartEndsWhenItsContextDoes(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := local.Start(ctx, options(t, io.Discard)); !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	var out screen
	o := options(t, &out)
	o.Env = map[string]string{"STUB_BACK": "sick"}
	done := make(chan error, 1)
	go func() {
		_, err := local.Start(ctx, o)
		done <- err
	}()
	eventually(t, "back listens", func() bool { return strings.Contains(out.String(), "back  | ") })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v", err)
	}
}

func TestBuildErrorsAreShown(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(shop)); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(root, "services", "back", "main.go")
	if err := os.WriteFile(broken, []byte("package main\n\nfunc main() { undefined() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, io.Discard)
	o.Root = root
	_, err := local.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "services/back/main.go:3:15: undefined: undefined") {
		t.Errorf("Start: %v", err)
	}
}

// Package real starts the real servers that production has - PostgreSQL, Redis and Apache Kafka, and any other by Run - as processes of
// a test, in temporary folders, so that what passes on SQLite and in-process stand-ins is proven on them too.
//
//	//go:build real
//	db, err := database.Open(ctx, real.Postgres(t), database.Options{})
//
// The servers are installed by .ci/setup; a missing one fails the test, it never skips it. Tests that use this package are
// in files named *_real_test.go with the build tag real, and run by `go test -tags real`.
//
// A server lives as long as its test process, however that ends, and is shared by the tests of that process: each gets a
// database of its own. A test that kills its server starts one for itself, with NewPostgres or NewKafka.
package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const remedy = "run .ci/setup to install the servers that tests need"

// process is one run of a server in its folder.
type process struct {
	cmd   *exec.Cmd
	guard io.WriteCloser // see guarded
	log   string
	done  chan struct{} // closed when the process has ended
}

// start runs a command whose output goes to a log in dir. The process dies with this one.
func start(dir string, env []string, owner *syscall.Credential, name string, args ...string) (*process, error) {
	logPath := filepath.Join(dir, filepath.Base(name)+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, log, log, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: owner}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: logPath, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is of no interest: a test either killed it or reads the log
		close(p.done)
	}()
	if p.guard, err = guarded(cmd.Process.Pid, dir); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// guarded starts a shell that waits until this process is gone, even by SIGKILL, and then kills the server and removes its
// folder. It notices by its standard input's end; a word on it sends it away.
func guarded(pid int, dir string) (io.WriteCloser, error) {
	guard := exec.Command("sh", "-c", `read -r word || { kill -s KILL -- "-$1"; sleep 1; rm -rf -- "$2"; }`, "guard", fmt.Sprint(pid), dir)
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, err
	}
	go func() { _ = guard.Wait() }()
	return stdin, nil
}

// kill ends the process by SIGKILL and waits until it is gone.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	if p.guard != nil {
		_, _ = io.WriteString(p.guard, "done\n")
		_ = p.guard.Close()
		p.guard = nil
	}
}

// await asks ready again and again until it answers nil; it fails when the process ended or took longer than limit.
func (p *process) await(limit time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", filepath.Base(p.cmd.Path), p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s: %w: %s", filepath.Base(p.cmd.Path), limit, err, p.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tail gives the end of the log.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > 2000 {
		text = text[len(text)-2000:]
	}
	return string(bytes.TrimSpace(text))
}

// folder makes a server's folder. It is in the system's temporary folder, not the test's: a server may run as another
// user, who cannot enter the latter, and a socket's path is limited to 107 bytes.
func folder(name string) (string, error) { return os.MkdirTemp("", "trellis-"+name+"-") }

// find gives the path of a program on PATH or, failing that, the last match of the patterns.
func find(name string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is not installed: %s", name, remedy)
}

// output runs a command to its end.
func output(owner *syscall.Credential, dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// shared is a server that the tests of this process share.
type shared[T any] struct {
	once   sync.Once
	server T
	err    error
}

func (s *shared[T]) get(t testing.TB, start func() (T, error)) T {
	t.Helper()
	s.once.Do(func() {
		s.err = errors.New("it did not start for an earlier test")
		s.server, s.err = start()
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

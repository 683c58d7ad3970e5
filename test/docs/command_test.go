package docs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 5 * time.Minute // a start may build services
	stopTimeout  = 30 * time.Second
)

func TestShownCommandsWork(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs services")
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash to run the commands with")
	}
	for _, d := range documents(t) {
		blocks, err := d.blocks()
		if err != nil || len(blocks) == 0 {
			continue // TestDocumentsMarkEveryCommand reports the error
		}
		t.Run(d.path, func(t *testing.T) {
			s := newScratch(t)
			for _, b := range blocks {
				s.play(t, d, b)
			}
			s.stop(t)
		})
	}
}

// scratch is a copy of the platform in which a document's commands run one after the other.
type scratch struct {
	dir     string
	from    *regexp.Regexp // ports that the documents name
	to      string         // and what they are in the copy
	base    int            // first port of the copy
	started *exec.Cmd
	output  *watched
}

func newScratch(t *testing.T) *scratch {
	t.Helper()
	s := &scratch{dir: t.TempDir()}
	copyTree(t, s.dir)
	s.movePorts(t)
	const commit = "git init -q && git add -A && git -c user.name=docs -c user.email=docs@example.com commit -q -m copy"
	if output, err := s.command(commit).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", commit, err, output)
	}
	return s
}

func (s *scratch) command(script string) *exec.Cmd {
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", s.from.ReplaceAllString(script, s.to))
	cmd.Dir = s.dir
	// Trimmed paths let all copies share the build cache.
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"), "NO_COLOR=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func (s *scratch) play(t *testing.T, d document, b block) {
	t.Helper()
	switch kind, _, _ := strings.Cut(b.marker, " "); kind {
	case "run":
		output, err := s.command(b.script).CombinedOutput()
		if code := exitCode(err); code != b.exit() {
			t.Fatalf("%s:%d: exit status %d, want %d (%v)\n%s\n%s", d.path, b.line, code, b.exit(), err, b.script, output)
		}
	case "make":
		for line := range strings.Lines(b.script) {
			command, _, _ := strings.Cut(line, "#")
			target, isMake := strings.CutPrefix(strings.TrimSpace(command), "make")
			if !isMake {
				t.Fatalf("%s:%d: %q is not a make target", d.path, b.line, line)
			}
			if output, err := s.command("make -n" + target).CombinedOutput(); err != nil {
				t.Fatalf("%s:%d: make%s: %v\n%s", d.path, b.line, target, err, output)
			}
		}
	case "start":
		s.start(t, d, b)
	case "stop":
		s.stop(t)
	}
}

func (s *scratch) start(t *testing.T, d document, b block) {
	t.Helper()
	_, until, _ := strings.Cut(b.marker, `until="`)
	s.output = &watched{until: []byte(strings.TrimSuffix(until, `"`)), seen: make(chan struct{})}
	s.started = s.command(b.script)
	s.started.Stdout, s.started.Stderr = s.output, s.output
	if err := s.started.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.started != nil {
			_ = syscall.Kill(-s.started.Process.Pid, syscall.SIGKILL)
			_ = s.started.Wait()
		}
	})
	select {
	case <-s.output.seen:
	case <-time.After(startTimeout):
		t.Fatalf("%s:%d: %q did not appear within %s\n%s", d.path, b.line, s.output.until, startTimeout, s.output)
	}
}

// stop interrupts what was started, as Ctrl-C does: the whole process group gets the signal. All ports must be free again
// afterwards. The exit status is not judged: go run and make give one of their own when they are interrupted.
func (s *scratch) stop(t *testing.T) {
	t.Helper()
	if s.started == nil {
		return
	}
	cmd := s.started
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatalf("interrupt: %v\n%s", err, s.output)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.started = nil
	select {
	case <-exited:
		if !free(s.base, portCount) {
			t.Fatalf("ports are still taken after an interrupt\n%s", s.output)
		}
	case <-time.After(stopTimeout):
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		t.Fatalf("it did not stop within %s of an interrupt\n%s", stopTimeout, s.output)
	}
}

// watched keeps what is written and tells when a text appears.
type watched struct {
	mu    sync.Mutex
	all   bytes.Buffer
	until []byte
	seen  chan struct{}
	found bool
}

// Write implements io.Writer.
func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(p)
	if !w.found && bytes.Contains(w.all.Bytes(), w.until) {
		w.found = true
		close(w.seen)
	}
	return len(p), nil
}

// String returns everything so far.
func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

func copyTree(t *testing.T, target string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch path {
		case ".git", ".trellis", "bin":
			return fs.SkipDir
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(target, path), 0o755)
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(target, path), text, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(fmt.Errorf("copy the platform: %w", err))
	}
}

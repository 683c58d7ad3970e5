package docs_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/test/scratch"
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
		if err != nil {
			continue // TestDocumentsMarkEveryCommand reports the error
		}
		blocks = slices.DeleteFunc(blocks, func(b block) bool { return b.marker == "test" })
		if len(blocks) == 0 {
			continue
		}
		t.Run(d.path, func(t *testing.T) {
			s := &platform{dir: root} // where make -n changes nothing
			if slices.ContainsFunc(blocks, func(b block) bool { return b.marker != "make" }) {
				s = newScratch(t, blocks)
			}
			for _, b := range blocks {
				s.play(t, d, b)
			}
			s.stop(t)
		})
	}
}

// platform is a copy of the platform in which a document's commands run one after the other.
type platform struct {
	dir     string
	from    *regexp.Regexp // ports that the documents name; nil in the platform itself
	to      string         // and what they are in the copy
	base    int            // first port of the copy
	started *exec.Cmd
	output  *watched
}

func newScratch(t *testing.T, blocks []block) *platform {
	t.Helper()
	s := &platform{dir: filepath.Join(t.TempDir(), "copy")}
	if err := scratch.Copy(t.Context(), root, s.dir); err != nil {
		t.Fatal(err)
	}
	s.movePorts(t)
	s.leaveOut(t, blocks)
	const commit = "git init -q && git add -A && git -c user.name=docs -c user.email=docs@example.com commit -q -m copy"
	if output, err := s.command(commit).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", commit, err, output)
	}
	return s
}

var (
	newService = regexp.MustCompile(`scaffold new ([a-z][a-z0-9-]*)`)
	word       = regexp.MustCompile(`[a-z][a-z0-9-]*`)
)

// leaveOut leaves only the services that the commands name, and what these need. Others that a team made would be in their way:
// they may have a name, or take a port, that a document gives to a service of its own.
func (s *platform) leaveOut(t *testing.T, blocks []block) {
	t.Helper()
	var named, made []string
	for _, b := range blocks {
		if b.marker == "make" {
			continue
		}
		named = append(named, word.FindAllString(b.script, -1)...)
		for _, match := range newService.FindAllStringSubmatch(b.script, -1) {
			made = append(made, match[1])
		}
	}
	if len(named) == 0 {
		return
	}
	fewer, err := scratch.Only(s.dir, named, made)
	if err != nil {
		t.Fatal(err)
	}
	if !fewer {
		return
	}
	if output, err := s.command("go run ./cmd/scaffold sync").CombinedOutput(); err != nil {
		t.Logf("the copy has fewer services, and cannot be synced: %v\n%s", err, output)
	}
}

func (s *platform) command(script string) *exec.Cmd {
	if s.from != nil {
		script = s.from.ReplaceAllString(script, s.to)
	}
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = s.dir
	// Trimmed paths let all copies share the build cache.
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"), "NO_COLOR=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

var assigned = regexp.MustCompile(`(?m)^([A-Za-z_]\w*)=`)

// remember lets a fence know the variables that the fences before it have set, as in a reader's shell.
func (s *platform) remember(script string) string {
	file := s.dir + ".variables"
	script = fmt.Sprintf("[ ! -e %[1]q ] || . %[1]q\n%[2]s", file, script)
	for _, match := range assigned.FindAllStringSubmatch(script, -1) {
		script += fmt.Sprintf("declare -p %s >>%q\n", match[1], file)
	}
	return script
}

func (s *platform) play(t *testing.T, d document, b block) {
	t.Helper()
	switch kind, _, _ := strings.Cut(b.marker, " "); kind {
	case "run":
		output, err := s.command(s.remember(b.script)).CombinedOutput()
		if code := exitCode(err); code != b.exit() {
			t.Fatalf("%s:%d: exit status %d, want %d (%v)\n%s\n%s", d.path, b.line, code, b.exit(), err, b.script, output)
		}
		if line := b.missing(string(output)); line != "" {
			t.Fatalf("%s:%d: the output has no line %s, or not below the ones before it\n%s\n%s", d.path, b.line, line, b.script, output)
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

func (s *platform) start(t *testing.T, d document, b block) {
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
func (s *platform) stop(t *testing.T) {
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

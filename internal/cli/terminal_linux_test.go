package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a person at a terminal: types, and sees.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	keys   *os.File
	mu     sync.Mutex
	seen   bytes.Buffer
	read   int // how much of the plain text see has passed
	change chan struct{}
}

// openTerminal starts scaffold in dir on a terminal of its own, see pty(7).
func openTerminal(t *testing.T, dir string, env []string, args ...string) *terminal {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals: %v", err)
	}
	fd := int(keys.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tty.Close() }()
	term := &terminal{t: t, keys: keys, change: make(chan struct{}, 1)}
	term.cmd = &exec.Cmd{
		Path: program, Args: append([]string{"scaffold"}, args...), Dir: dir, Env: append(os.Environ(), env...),
		Stdin: tty, Stdout: tty, Stderr: tty, SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go term.watch()
	t.Cleanup(func() {
		_ = term.cmd.Process.Kill()
		_ = keys.Close()
	})
	return term
}

func (x *terminal) watch() {
	buffer := make([]byte, 4096)
	for {
		n, err := x.keys.Read(buffer)
		x.mu.Lock()
		x.seen.Write(buffer[:n])
		x.mu.Unlock()
		select {
		case x.change <- struct{}{}:
		default:
		}
		if err != nil { // EIO once the last process has closed the terminal
			return
		}
	}
}

// escapes are what moves the cursor and sets colours, and what asks the terminal what it can do.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]|\x1b\\][^\x07\x1b]*(\x07|\x1b\\\\)|\r")

// see waits until the text is on the screen, after what was seen before.
func (x *terminal) see(text string) {
	x.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		plain := escapes.ReplaceAllString(x.screen(), "")
		if i := strings.Index(plain[min(x.read, len(plain)):], text); i >= 0 {
			x.read += i + len(text)
			return
		}
		select {
		case <-x.change:
		case <-timeout:
			x.t.Fatalf("%q is not on the screen:\n%s", text, plain[min(x.read, len(plain)):])
		}
	}
}

// screen is all that was written so far, as it was written.
func (x *terminal) screen() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen.String()
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.keys, keys); err != nil {
		x.t.Fatal(err)
	}
}

// exit waits for the end and gives the exit code.
func (x *terminal) exit() int {
	x.t.Helper()
	done := make(chan struct{})
	go func() {
		_ = x.cmd.Wait() // the code says it
		close(done)
	}()
	select {
	case <-done:
		return x.cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		x.t.Fatalf("it does not end:\n%s", escapes.ReplaceAllString(x.screen(), ""))
		return -1
	}
}

const (
	enter = "\r"
	down  = "\x1b[B"
	space = " "
)

func TestNewAsksOnATerminal(t *testing.T) {
	t.Parallel()
	dir := platform(t)
	env := []string{"TERM=tmux-256color"}
	if code := openTerminal(t, dir, env, "new", "catalog", "--resource", "product").exit(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	x := openTerminal(t, dir, env, "new")
	x.see("Name")
	x.press("catalog" + enter)
	x.see("there is a service catalog already")
	x.press(strings.Repeat("\x7f", len("catalog")) + "greeter" + enter)
	x.press(enter) // the resource stays as it is
	x.see("Database")
	x.press(down + enter) // postgres
	x.press(enter)        // no cache
	x.see("Which operations")
	x.press(down + space + enter) // catalog:getProduct
	x.see("Which events does it publish?")
	x.press("greeting.created.v1" + enter)
	x.see("The same without questions:")
	x.see("scaffold new greeter --database postgres --call catalog:getProduct --publish greeting.created.v1")
	x.see("Next:")
	if code := x.exit(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, x.screen())
	}
	declared, err := os.ReadFile(filepath.Join(dir, "services", "greeter", "service.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kind: postgres", "getProduct", "greeting.created.v1"} {
		if !bytes.Contains(declared, []byte(want)) {
			t.Errorf("service.yaml lacks %s:\n%s", want, declared)
		}
	}
}

func TestNewWritesNothingWhenTheAnswersAreBrokenOff(t *testing.T) {
	t.Parallel()
	dir := platform(t)
	x := openTerminal(t, dir, []string{"TERM=tmux-256color"}, "new")
	x.see("Name")
	x.press("\x03")
	x.see("nothing was written")
	if code := x.exit(); code != 1 {
		t.Errorf("exit code %d:\n%s", code, x.screen())
	}
	if _, err := os.Stat(filepath.Join(dir, "services")); err == nil {
		t.Error("something was written")
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	dir := platform(t)
	for env, coloured := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false, "TERM=dumb": false} {
		x := openTerminal(t, dir, []string{"TERM=xterm", env}, "check")
		x.see("no problems")
		x.exit()
		if got := strings.Contains(x.screen(), "\x1b[32mok"); got != coloured {
			t.Errorf("%s: coloured %v: %q", env, got, x.screen())
		}
	}
}

func TestNothingIsAskedOfTheTerminalWithoutNeed(t *testing.T) {
	t.Parallel()
	x := openTerminal(t, platform(t), []string{"TERM=xterm-256color"}, "version")
	x.see("templates")
	x.exit()
	if strings.Contains(x.screen(), "\x1b") {
		t.Errorf("escape sequences: %q", x.screen())
	}
}

// Package proc starts the servers under test as processes of their own, pins them to a processor and reads what they use.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Command is a server to start.
type Command struct {
	Path   string
	Args   []string
	Env    []string // added to the environment
	Ready  string   // URL that answers 200 as soon as the server serves
	CPU    int      // processor to run on; negative for any
	Stdout *os.File // nil throws it away
}

// Process is a running server.
type Process struct {
	PID int
	// StartToReady is the time from the start of the process until its first 200.
	StartToReady time.Duration

	cmd    *exec.Cmd
	exited chan struct{}
}

const (
	readyTimeout = 20 * time.Second
	stopTimeout  = 45 * time.Second
	pollInterval = time.Millisecond
)

// Start runs the command with one processor and waits until it is ready.
func Start(ctx context.Context, c Command) (*Process, error) {
	path, args := pinned(c.CPU, c.Path, c.Args)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Env = append(cmd.Env, c.Env...)
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	var complaints tail
	cmd.Stderr = &complaints
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &Process{PID: cmd.Process.Pid, cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	if err := p.await(ctx, c.Ready); err != nil {
		err = errors.Join(fmt.Errorf("start %s: %w", c.Path, err), p.Stop())
		return nil, fmt.Errorf("%w\n%s", err, complaints.text)
	}
	p.StartToReady = time.Since(begin)
	return p, nil
}

// tail keeps the end of what is written. It is read only after the process has ended.
type tail struct{ text []byte }

const tailSize = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if excess := len(t.text) - tailSize; excess > 0 {
		t.text = append(t.text[:0], t.text[excess:]...)
	}
	return len(p), nil
}

func (p *Process) await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if Status(ctx, url) == http.StatusOK {
			return nil
		}
		select {
		case <-ticker.C:
		case <-p.exited:
			return errors.New("it exited before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", url, ctx.Err())
		}
	}
}

// Stop asks the process to end, waits for it, and kills it when it takes too long.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("%s did not stop within %s and was killed", p.cmd.Path, stopTimeout)
	}
}

// Kill ends the process at once.
func (p *Process) Kill() error {
	err := p.cmd.Process.Kill()
	<-p.exited
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Status is the status of a GET, or zero when there is no answer.
func Status(ctx context.Context, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// FreeAddr returns a loopback address whose port was free a moment ago.
func FreeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

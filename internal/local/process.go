package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is one service, or another program beside the services; at most one run of it at a time.
type process struct {
	Service
	binary, dir string
	args        []string
	env         []string
	emit        func(line []byte) // shows a line of its log
	exited      func(*run)        // called when a run has ended that nobody asked to end

	mu      sync.Mutex
	current *run // the last run, nil before the first
}

// run is one life of a service's process.
type run struct {
	process *process
	cmd     *exec.Cmd
	log     *tail
	done    chan struct{} // closed when the process has ended and its log is read
	err     error         // how it ended; read after done

	mu     sync.Mutex
	wanted bool // somebody asked for its end
}

// start starts the service anew. The run before must have ended.
func (p *process) start(spawn *spawner) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil && !p.current.ended() {
		return fmt.Errorf("start %s: it runs already", p.Name)
	}
	r := &run{process: p, log: new(tail), done: make(chan struct{})}
	lines := &lineWriter{emit: func(line []byte) {
		r.log.add(string(line))
		p.emit(bytes.Clone(line))
	}}
	r.cmd = exec.Command(p.binary, p.args...)
	r.cmd.Dir, r.cmd.Env = p.dir, p.env
	r.cmd.Stdout, r.cmd.Stderr = lines, lines
	r.cmd.WaitDelay = time.Second // a grandchild may hold the pipe open
	if err := spawn.start(r.cmd); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.current = r
	go func() {
		r.err = r.cmd.Wait()
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL) // whatever it started itself
		lines.flush()
		if !r.isWanted() {
			p.exited(r)
		}
		close(r.done)
	}()
	return nil
}

// last is the latest run, nil when the service was never started.
func (p *process) last() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (r *run) isWanted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wanted
}

// signal sends a signal whose end, if it ends the process, is wanted.
func (r *run) signal(sig syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended() {
		return fmt.Errorf("signal %s: %w", r.process.Name, errNotRunning)
	}
	r.wanted = true
	if err := syscall.Kill(-r.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s: %w", r.process.Name, err)
	}
	return nil
}

var errNotRunning = errors.New("it does not run")

// stop asks the process to end, and kills it after the limit or when ctx ends. It reports whether it had to be killed.
func (r *run) stop(ctx context.Context, limit time.Duration) (killed bool) {
	if r.signal(syscall.SIGTERM) != nil {
		<-r.done
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-r.done:
		return false
	case <-ctx.Done():
	}
	killed = r.signal(syscall.SIGKILL) == nil
	<-r.done
	return killed
}

// outcome says how the process ended, with its last lines.
func (r *run) outcome() string {
	how := "exited with status 0"
	if r.err != nil {
		how = "exited: " + r.err.Error()
	}
	return how + r.log.String()
}

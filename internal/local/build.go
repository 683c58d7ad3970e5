package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// build compiles every service into dir with one go build, which shares the work between them, and reports each as it is done.
func build(ctx context.Context, o Options, services []*spec.Service, dir string, spawn *spawner, con *console) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of binaries: %w", err)
	}
	args := append([]string{"build", "-o", dir + string(filepath.Separator)}, o.BuildFlags...)
	for _, s := range services {
		args = append(args, "./"+s.Dir)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = o.Root
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	watch := watchBinaries(services, dir)
	if err := spawn.start(cmd); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("build the services: no go command on the PATH: install Go, see `scaffold doctor`")
		}
		return fmt.Errorf("build the services: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if err := watch.follow(ctx, cmd, done, con); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("build the services: %w", ctx.Err())
		}
		if text := strings.TrimSpace(output.String()); text != "" {
			return fmt.Errorf("build the services:\n%s", text)
		}
		return fmt.Errorf("build the services: %w", err)
	}
	return nil
}

// binary is the path of a service's program: go build names it after its folder.
func binary(dir string, s *spec.Service) string { return filepath.Join(dir, path.Base(s.Dir)) }

// binaries watches for programs to appear or change: go build says nothing about them.
type binaries struct {
	names  []string
	paths  []string
	before []os.FileInfo // nil: there was none
	built  []bool
	start  time.Time
}

func watchBinaries(services []*spec.Service, dir string) *binaries {
	w := &binaries{built: make([]bool, len(services)), start: time.Now()}
	for _, s := range services {
		w.names = append(w.names, s.Name)
		w.paths = append(w.paths, binary(dir, s))
		info, err := os.Stat(binary(dir, s))
		if err != nil {
			info = nil
		}
		w.before = append(w.before, info)
	}
	return w
}

// follow waits for go build to end, and ends it when ctx does.
func (w *binaries) follow(ctx context.Context, cmd *exec.Cmd, done <-chan error, con *console) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	defer con.show("")
	for {
		select {
		case err := <-done:
			w.look(con)
			if err == nil {
				w.reportRest(con)
			}
			return err
		case <-ctx.Done():
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its compilers too
			return <-done
		case <-tick.C:
			w.look(con)
		}
	}
}

func (w *binaries) look(con *console) {
	var waiting []string
	for i, p := range w.paths {
		if w.built[i] {
			continue
		}
		info, err := os.Stat(p)
		before := w.before[i]
		if err == nil && (before == nil || !os.SameFile(info, before) || !info.ModTime().Equal(before.ModTime())) {
			w.built[i] = true
			con.report("built %s (%s)", w.names[i], time.Since(w.start).Round(100*time.Millisecond))
			continue
		}
		waiting = append(waiting, w.names[i])
	}
	elapsed := time.Since(w.start).Truncate(time.Second)
	con.show("building %d of %d, %s: %s", len(w.names)-len(waiting)+1, len(w.names), elapsed, strings.Join(waiting, ", "))
}

func (w *binaries) reportRest(con *console) {
	for i, name := range w.names {
		if !w.built[i] {
			con.report("built %s (up to date)", name)
		}
	}
}

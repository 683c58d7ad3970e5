//go:build kind

package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/cluster"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/test/scratch"
)

// workshop is a copy of the platform in which a test changes what a person would change, and brings the cluster in line with it.
type workshop struct {
	t      *testing.T
	dir    string
	inLine bool // the cluster runs again what it ran before
}

// scaffold is the command: the one that runs the tests, or else it is built once.
var scaffold = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("TRELLIS_SCAFFOLD"); path != "" {
		return path, nil
	}
	path := filepath.Join(toolDir, "scaffold")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./cmd/scaffold")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the scaffold command: %w: %s", err, out)
	}
	return path, nil
})

// workshop makes a copy. When the test ends, the cluster is brought in line with the platform as it is, unless it is already.
func (s *shop) workshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{t: t, dir: filepath.Join(t.TempDir(), "platform")}
	w.copy(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
		defer cancel()
		if w.inLine && !t.Failed() {
			return
		}
		w.copy(ctx)
		if out, err := w.command(ctx, "cluster", "up"); err != nil {
			t.Errorf("put the cluster back: %v\n%s", err, out)
		}
		for _, service := range s.Model.Services {
			if err := s.rolledOut(ctx, service.Name); err != nil {
				t.Errorf("put the cluster back: %v", err)
			}
		}
		if err := s.stock(ctx); err != nil {
			t.Errorf("after the cluster was put back: %v", err)
		}
	})
	return w
}

// copy makes the copy as the platform is. What is known of the images that the cluster runs comes along: they need not be built again.
func (w *workshop) copy(ctx context.Context) {
	w.t.Helper()
	if err := scratch.Copy(ctx, root, w.dir); err != nil {
		w.t.Fatal(err)
	}
	const known = ".trellis/images.json"
	raw, err := os.ReadFile(filepath.Join(root, known))
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Join(w.dir, filepath.Dir(known)), 0o750), os.WriteFile(filepath.Join(w.dir, known), raw, 0o600))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
}

func (w *workshop) command(ctx context.Context, args ...string) (string, error) {
	path, err := scaffold()
	if err != nil {
		return "", err
	}
	// Whoever releases has a machine of their own, in earnest. On the cluster's, they step back: an answer that comes late because of them
	// would say nothing of the change.
	cmd := exec.CommandContext(ctx, "nice", append([]string{"-n", "19", path}, args...)...)
	cmd.Dir = w.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("scaffold %s: %w", strings.Join(args, " "), err)
	}
	return out.String(), nil
}

// run calls the scaffold command in the copy, and gives how long it took.
func (w *workshop) run(args ...string) time.Duration {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 8*time.Minute)
	defer cancel()
	began := time.Now()
	out, err := w.command(ctx, args...)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(began)
	w.t.Logf("scaffold %s took %s\n%s", strings.Join(args, " "), tenths(took), out)
	return took
}

// build makes the image of a service, as the copy has it now, and brings it to the cluster: what builds releases is elsewhere in earnest,
// so it is not to be busy while a load says how well a release goes.
func (w *workshop) build(service string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 8*time.Minute)
	defer cancel()
	model := w.model()
	platform, err := cluster.New(cluster.Options{Root: w.dir, Model: model})
	if err == nil {
		_, err = platform.Open(ctx)
	}
	if err == nil {
		_, err = platform.Load(ctx, model.Service(service).Dir)
	}
	if err != nil {
		w.t.Fatalf("build the image of %s: %v", service, err)
	}
}

// up brings the cluster in line with the copy.
func (w *workshop) up() time.Duration {
	w.t.Helper()
	return w.run("cluster", "up")
}

// write makes a file of the copy.
func (w *workshop) write(name, content string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, filepath.FromSlash(name)), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// patient gives each call of some services several seconds. A machine that starts pods and tells sidecars of them answers late now and
// then, the fewer its processors the later; a test that asks whether a request is lost must not count how long one takes.
func (w *workshop) patient(services ...string) {
	w.t.Helper()
	for _, service := range services {
		name := w.model().Service(service).Dir + "/service.yaml"
		raw, err := os.ReadFile(filepath.Join(w.dir, filepath.FromSlash(name)))
		if err != nil {
			w.t.Fatal(err)
		}
		w.write(name, strings.ReplaceAll(string(raw), "\n    timeout: 1s", "\n    timeout: 8s"))
	}
	w.run("sync")
	w.up()
}

// model is the copy as it is declared now.
func (w *workshop) model() *spec.Model {
	w.t.Helper()
	m, err := spec.Load(os.DirFS(w.dir))
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

package proof

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scaffoldEnv names the command under test, which TestMain builds.
const scaffoldEnv = "TRELLIS_PROOF_SCAFFOLD"

// platform is a platform's files, in a folder of the test.
type platform struct {
	t    testing.TB
	root string
}

// newPlatform makes a platform of declarations, and renders it.
func newPlatform(t testing.TB, declared fs.FS) *platform {
	t.Helper()
	p := &platform{t, t.TempDir()}
	if err := os.CopyFS(p.root, declared); err != nil {
		t.Fatal(err)
	}
	p.write("go.mod", "module example.com/shop\n\ngo 1.26.0\n")
	p.sync()
	return p
}

func (p *platform) write(file, text string) {
	p.t.Helper()
	file = filepath.Join(p.root, file)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// edit changes text that stands in a file once.
func (p *platform) edit(file, from, to string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.root, file))
	if err != nil {
		p.t.Fatal(err)
	}
	if n := strings.Count(string(text), from); n != 1 {
		p.t.Fatalf("%s has %q %d times, not once", file, from, n)
	}
	p.write(file, strings.Replace(string(text), from, to, 1))
}

// sync renders what follows from the declarations.
func (p *platform) sync() {
	p.t.Helper()
	if out, err := p.scaffold("sync"); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
}

// scaffold runs the command in the platform, and gives what it printed.
func (p *platform) scaffold(args ...string) (string, error) {
	cmd := exec.Command(os.Getenv(scaffoldEnv), args...) //nolint:gosec // what TestMain built
	cmd.Dir = p.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("scaffold %s: %w", strings.Join(args, " "), err)
	}
	return string(out), err
}

// tree is this repository: the platform that everything is proven for.
func tree() fs.FS { return os.DirFS(filepath.Join("..", "..")) }

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
	t       testing.TB
	root    string
	program string // scaffold
}

// newPlatform makes a platform of declarations. It is to be rendered with sync.
func newPlatform(t testing.TB, declared fs.FS) *platform {
	t.Helper()
	p := &platform{t, t.TempDir(), os.Getenv(scaffoldEnv)}
	if err := os.CopyFS(p.root, declared); err != nil {
		t.Fatal(err)
	}
	p.write("go.mod", "module example.com/shop\n\ngo 1.26.0\n")
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
func (p *platform) edit(file, from, to string) { //nolint:unparam // says what is edited
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
func (p *platform) sync() error { return p.scaffold("sync") }

// scaffold runs the command in the platform.
func (p *platform) scaffold(args ...string) error {
	cmd := exec.Command(p.program, args...)
	cmd.Dir = p.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("scaffold %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// tree is this repository: the platform that everything is proven for.
func tree() fs.FS { return os.DirFS(filepath.Join("..", "..")) }

package docs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// longestMain is what docs/architecture.md promises of a service's main.go.
const longestMain = 40

func TestEveryServiceStartsInFortyLines(t *testing.T) {
	mains, err := filepath.Glob(filepath.Join(root, "services", "*", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared, err := filepath.Glob(filepath.Join(root, "services", "*", "service.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(declared) == 0 || len(mains) != len(declared) {
		t.Errorf("%d services have %d files main.go", len(declared), len(mains))
	}
	for _, path := range mains {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines > longestMain {
			t.Errorf("%s has %d lines, and %d at most are promised: move what it wires to another file of the package", path, lines, longestMain)
		}
	}
}

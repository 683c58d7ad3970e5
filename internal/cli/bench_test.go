package cli_test

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/trellis-mesh/trellis/internal/cli"
)

// BenchmarkNew is the whole command but for the start of its process, on a platform of three services.
func BenchmarkNew(b *testing.B) {
	root := b.TempDir()
	for name, text := range map[string]string{"platform.yaml": "name: shop\n", "go.mod": "module example.com/shop\n\ngo 1.26.0\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	run := func(args ...string) {
		streams := cli.Streams{Out: io.Discard, Err: os.Stderr, Getenv: os.Getenv}
		if code := cli.Run(b.Context(), append(args, "--root", root), streams); code != cli.Done {
			b.Fatalf("scaffold %q: exit code %d", args, code)
		}
	}
	run("new", "catalog", "--resource", "product")
	run("new", "users", "--database", "postgres")
	run("new", "orders", "--database", "postgres", "--call", "users:getUser")
	for i := 0; b.Loop(); i++ {
		name := "greeter" + strconv.Itoa(i)
		run("new", name, "--database", "postgres", "--call", "catalog:getProduct", "--publish", name+".created.v1")
		b.StopTimer()
		run("undo")
		b.StartTimer()
	}
}

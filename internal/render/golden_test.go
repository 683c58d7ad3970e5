package render

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden are the services whose every byte is kept in testdata.
var golden = []struct {
	name    string
	options spec.Options
	inputs  Inputs
	edits   []string
}{
	{name: "plain", options: spec.Options{Summary: "Answers requests and needs nobody."}},
	{
		name: "greeter",
		options: spec.Options{
			Summary: "Greets people.", Owner: "hospitality", Database: "postgres", Shards: []string{"s1", "far-east"}, Cache: "redis",
			Calls:     []spec.CallOption{{Service: "catalog", Operations: []string{"getProduct"}}},
			Publishes: []string{"greeting.created.v1"}, Consumes: []string{"product.created.v1"},
			Ingress: []string{"createGreeting", "getGreeting"},
		},
		inputs: Inputs{Resource: "greeting"},
	},
	{
		name: "bff-web",
		options: spec.Options{
			Calls:     []spec.CallOption{{Service: "catalog", Operations: []string{"getProduct", "createProduct"}}, {Service: "greeter", Operations: []string{"getGreeting"}}},
			Publishes: []string{"page.opened.v1", "page.closed.v1"}, Consumes: []string{"greeting.created.v1", "product.created.v1"},
			Externals: []spec.External{{Host: "api.example.com", Port: 443, TLS: "originate"}},
		},
		inputs: Inputs{Resource: "page-view"},
		edits:  []string{"onFailure: fail", "onFailure: degrade"},
	},
}

// goldenPlatform has the golden services, and gives what was rendered for each.
func goldenPlatform(t testing.TB) (*platform, map[string][]plan.File) {
	t.Helper()
	p := newPlatform(t)
	p.create("catalog", spec.Options{Publishes: []string{"product.created.v1"}}, Inputs{Resource: "product"})
	rendered := map[string][]plan.File{}
	for _, g := range golden {
		rendered[g.name] = p.create(g.name, g.options, g.inputs, g.edits...)
	}
	return p, rendered
}

func TestServicesAreTheSameOnAnyMachine(t *testing.T) {
	p, _ := goldenPlatform(t)
	for _, g := range golden { // now that all callers are there
		p.sync(g.name, g.inputs, nil)
	}
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			got := p.texts("services/" + g.name)
			file := filepath.Join("testdata", "golden", g.name+".txtar")
			if *update {
				writeGolden(t, file, got)
			}
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			for _, f := range archive.Files {
				want[f.Name] = string(f.Data)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("run go test -update when this is what was meant (-want +got):\n%s", diff)
			}
		})
	}
}

func writeGolden(t *testing.T, file string, texts map[string]string) {
	t.Helper()
	archive := &txtar.Archive{}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(texts[name])})
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEngineChangesWithItsOutput keeps a list of what each input hash gave. A file that is another for the same hash would
// never be made anew where the old one lies: then the constant engine must be raised.
func TestEngineChangesWithItsOutput(t *testing.T) {
	p, _ := goldenPlatform(t)
	file := filepath.Join("testdata", "golden", "inputs.txt")
	before := readInputs(t, file)
	now := map[string]string{}
	for _, name := range []string{"bff-web", "catalog", "greeter", "plain"} {
		in := Inputs{}
		for _, g := range golden {
			if g.name == name {
				in = g.inputs
			}
		}
		if name == "catalog" {
			in.Resource = "product"
		}
		for _, f := range p.sync(name, in, nil) {
			sum := sha256.Sum256(f.Content)
			now[f.Path+" "+f.InputHash] = hex.EncodeToString(sum[:8])
		}
	}
	for key, sum := range now {
		if old, ok := before[key]; ok && old != sum {
			t.Errorf("%s: other content for the same inputs: raise the constant engine in digest.go", key)
		}
	}
	if *update && !t.Failed() {
		writeInputs(t, file, now)
	} else if diff := cmp.Diff(before, now); diff != "" {
		t.Errorf("run go test -update (-want +got):\n%s", diff)
	}
}

func readInputs(t *testing.T, file string) map[string]string {
	t.Helper()
	all := map[string]string{}
	f, err := os.Open(file)
	if err != nil {
		return all
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, sum, _ := cutLast(lines.Text())
		all[key] = sum
	}
	return all
}

func cutLast(line string) (before, after string, found bool) {
	i := strings.LastIndexByte(line, ' ')
	return line[:i], line[i+1:], true
}

func writeInputs(t *testing.T, file string, all map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintln(&b, key, all[key])
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

package proof

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "write the table of TestConfigurationSize to docs/mesh.md")

// calls is how many others each service of the measured platforms calls, and replicas how many pods it has.
const (
	calls    = 3
	replicas = 3
)

// TestConfigurationSize measures what a sidecar is told in small and large platforms: with the scoping that scaffold renders it
// follows from the declared calls, and without it from the size of the mesh. docs/mesh.md shows the table.
func TestConfigurationSize(t *testing.T) {
	head := []string{"services", "scoping", "clusters", "endpoints", "listeners", "routes", "all", "resources"}
	var rows [][]string
	scoped := map[int]int{}
	sizes := []int{10, 100}
	if *update {
		sizes = append(sizes, 500) // takes most of a minute
	}
	for _, n := range sizes {
		p := newPlatform(t, manyServices(n))
		if err := p.sync(); err != nil {
			t.Fatal(err)
		}
		for _, with := range []bool{false, true} {
			s, err := sizeOf(t, os.DirFS(p.root), serviceName(0), replicas, with)
			if err != nil {
				t.Fatal(err)
			}
			name := "none"
			if with {
				name, scoped[n] = "rendered", s.total()
			}
			rows = append(rows, []string{
				fmt.Sprint(n), name, kB(s.clusters), kB(s.endpoints), kB(s.listeners), kB(s.routes), kB(s.total()), fmt.Sprint(s.resources),
			})
		}
	}
	printTable(fmt.Sprintf("Configuration of a sidecar whose service calls %d others", calls), head, rows)
	few := scoped[sizes[0]]
	for n, bytes := range scoped {
		if bytes > few+few/20 {
			t.Errorf("with scoping, the configuration grows with the mesh: %d bytes among %d services, %d among %d", few, sizes[0], bytes, n)
		}
	}
	shown(t, head, rows)
}

func kB(bytes int) string { return fmt.Sprintf("%.0f kB", float64(bytes)/1000) }

// shown compares the rows with the table in docs/mesh.md, or writes that.
func shown(t *testing.T, head []string, rows [][]string) {
	t.Helper()
	table := fmt.Sprintf("| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, row := range rows {
		table += fmt.Sprintf("| %s |\n", strings.Join(row, " | "))
	}
	const begin, end = "<!-- size -->\n\n", "\n<!-- end -->"
	file := filepath.Join("..", "..", "docs", "mesh.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, closed := strings.Cut(rest, end)
	switch {
	case !ok || !closed:
		t.Fatalf("%s has no place for the table: %q and %q", file, begin, end)
	case strings.HasPrefix(old, table):
		return
	case !*update:
		t.Fatalf("%s shows another table: run make mesh-bench", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

func serviceName(i int) string { return fmt.Sprintf("service-%03d", i) }

// manyServices are declarations of so many services that each call a few others.
func manyServices(n int) fstest.MapFS {
	files := fstest.MapFS{"platform.yaml": {Data: []byte("name: shop\n")}}
	for i := range n {
		declared := "name: " + serviceName(i) + "\ncalls:\n"
		for j := range calls {
			declared += fmt.Sprintf("  %s: {operations: [getThing, listThings]}\n", serviceName((i+j+1)%n))
		}
		dir := "services/" + serviceName(i)
		if i >= n-calls { // no circles
			declared = "name: " + serviceName(i) + "\n"
		}
		files[dir+"/service.yaml"] = &fstest.MapFile{Data: []byte(declared), Mode: 0o644}
		files[dir+"/api/openapi.yaml"] = &fstest.MapFile{Data: []byte(manyContract), Mode: 0o644}
	}
	return files
}

const manyContract = `openapi: 3.0.3
info: {title: things, version: 1.0.0}
paths:
  /v1/things:
    get: {operationId: listThings, responses: {"200": {description: Things.}}}
    post: {operationId: createThing, responses: {"201": {description: The thing.}}}
  /v1/things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getThing, responses: {"200": {description: The thing.}}}
`

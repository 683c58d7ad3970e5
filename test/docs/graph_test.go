package docs_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the graph of the services into the documents")

const (
	graphBegin = "<!-- graph -->\n"
	graphEnd   = "<!-- /graph -->\n"
)

func TestDocumentsShowTheGraphOfTheServices(t *testing.T) {
	cmd := exec.Command("go", "run", "./cmd/scaffold", "graph")
	cmd.Dir = root
	graph, err := cmd.Output()
	if err != nil {
		t.Fatalf("scaffold graph: %v", err)
	}
	for _, file := range []string{"README.md", "mesh/README.md"} {
		showGraph(t, file, strings.TrimSpace(string(graph)))
	}
}

func showGraph(t *testing.T, file, graph string) {
	t.Helper()
	path := filepath.Join(root, file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), graphBegin)
	_, after, ended := strings.Cut(rest, graphEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the graph: %s%s", file, graphBegin, graphEnd)
	}
	want := before + graphBegin + "```mermaid\n" + graph + "\n```\n" + graphEnd + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("the graph in %s is not that of the services: run `make generate`, which writes it", file)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

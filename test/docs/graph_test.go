package docs_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the graph of the services into README.md")

const (
	graphBegin = "<!-- graph -->\n"
	graphEnd   = "<!-- /graph -->\n"
)

func TestDocumentsShowTheGraphOfTheServices(t *testing.T) {
	path := filepath.Join(root, "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "./cmd/scaffold", "graph")
	cmd.Dir = root
	graph, err := cmd.Output()
	if err != nil {
		t.Fatalf("scaffold graph: %v", err)
	}
	before, rest, found := strings.Cut(string(text), graphBegin)
	_, after, ended := strings.Cut(rest, graphEnd)
	if !found || !ended {
		t.Fatalf("README.md has no place for the graph: %s%s", graphBegin, graphEnd)
	}
	want := before + graphBegin + "```mermaid\n" + strings.TrimSpace(string(graph)) + "\n```\n" + graphEnd + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("the graph in README.md is not that of the services: run `make generate`, which writes it")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

package spec

import (
	"encoding/json"
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// shop is a platform of three services that call each other and exchange events; "end" is a word of mermaid's own.
func shop(t *testing.T) *Model {
	t.Helper()
	m, err := Load(graphPlatform())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func graphPlatform() fstest.MapFS {
	fsys := sound()
	fsys["services/end-user/service.yaml"] = &fstest.MapFile{Data: []byte("name: end-user\ncalls:\n  orders: {operations: [getOrder]}\n  catalog: {operations: [getProduct]}\nevents: {consumes: [product.created.v1]}\n")}
	fsys["services/end-user/api/openapi.yaml"] = fsys["services/orders/api/openapi.yaml"]
	return fsys
}

func serviceNames(services []*Service) []string {
	var all []string
	for _, s := range services {
		all = append(all, s.Name)
	}
	return all
}

func TestCallGraph(t *testing.T) {
	m := shop(t)
	for _, test := range []struct {
		what string
		got  []*Service
		want []string
	}{
		{"callers of catalog", m.Callers("catalog"), []string{"end-user", "orders"}},
		{"callers of end-user", m.Callers("end-user"), nil},
		{"callees of end-user", m.Callees("end-user"), []string{"catalog", "orders"}},
		{"callees of nobody", m.Callees("nobody"), nil},
		{"publishers", m.Publishers("product.created.v1"), []string{"catalog"}},
		{"consumers", m.Consumers("product.created.v1"), []string{"end-user", "orders"}},
	} {
		if diff := cmp.Diff(test.want, serviceNames(test.got)); diff != "" {
			t.Errorf("%s: %s", test.what, diff)
		}
	}
	want := []Edge{
		{From: "catalog", To: "end-user", Kind: EventEdge, Event: "product.created.v1"},
		{From: "catalog", To: "orders", Kind: EventEdge, Event: "product.created.v1"},
		{From: "end-user", To: "catalog", Kind: CallEdge, Operations: []string{"getProduct"}},
		{From: "end-user", To: "orders", Kind: CallEdge, Operations: []string{"getOrder"}},
		{From: "orders", To: "catalog", Kind: CallEdge, Operations: []string{"getProduct", "listProducts"}},
	}
	if diff := cmp.Diff(want, m.Edges()); diff != "" {
		t.Error(diff)
	}
}

func TestGraphFormats(t *testing.T) {
	m := shop(t)
	for _, format := range Formats() {
		got, err := m.Graph(format)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "testdata/graph."+format, got)
		if format == "json" && !json.Valid(got) {
			t.Error("the graph is no JSON")
		}
	}
	if _, err := m.Graph("svg"); err == nil || err.Error() != `graph format "svg" is not known: use mermaid, dot, json` {
		t.Errorf("an unknown format gives %v", err)
	}
	empty := &Model{}
	if got, err := empty.Graph("json"); err != nil || string(got) != "{\n  \"services\": [],\n  \"edges\": []\n}\n" {
		t.Errorf("a platform without services gives %s, %v", got, err)
	}
}

// golden compares with a committed file, and writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what it should be; -update writes it anew:\n%s", path, diff)
	}
}

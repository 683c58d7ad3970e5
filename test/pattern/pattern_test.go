package pattern_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/test/pattern"
)

const table = `# Patterns

| # | pattern | code | proof | page |
|---|---|---|---|---|
| 2 | Discovery | [a](../a), [b](../b/b.go) | ` + "`a/b` `TestA/one case`<br>`mesh/proof` `TestB` (make mesh-proof)" + ` | [page](a.md) |

| # | pattern | what is there |
|---|---|---|
| 3 | Another | nothing |
`

func TestReadGivesWhatTheTablesSay(t *testing.T) {
	got, err := pattern.Read(fstest.MapFS{pattern.File: {Data: []byte(table)}})
	if err != nil {
		t.Fatal(err)
	}
	want := pattern.Catalogue{
		Shown: []pattern.Row{{
			Line: 5, Number: 2, Name: "Discovery", Code: []string{"../a", "../b/b.go"}, Page: "a.md",
			Proofs: []pattern.Proof{
				{Package: "a/b", Test: "TestA/one case", By: pattern.Verify},
				{Package: "mesh/proof", Test: "TestB", By: "make mesh-proof"},
			},
		}},
		Missing: []pattern.Row{{Line: 9, Number: 3, Name: "Another"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if id := got.Shown[0].Proofs[0].ID(); id != "TestA/one_case" {
		t.Errorf("ID() = %q, and the testing package calls it TestA/one_case", id)
	}
}

func TestParseRefusesRowsThatProveNothing(t *testing.T) {
	const row = "| 1 | One | [a](a) | `a` `TestA` | [page](a.md) |"
	if _, err := pattern.Parse(row); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, says string }{
		"no code":          {"[a](a)", "a", "code"},
		"no test":          {"`a` `TestA`", "by hand", "no test"},
		"half a test":      {"`a` `TestA`", "`a` `TestA`, `TestB`", "form"},
		"a benchmark":      {"TestA", "BenchmarkA", "no test"},
		"no page":          {"[page](a.md)", "soon", "page"},
		"no name":          {"| One |", "| |", "name"},
		"a cell too many":  {"| One |", "| One | |", "cells"},
		"a cell too few":   {"| One |", "|", "cells"},
		"no table at all":  {"| 1 |", "| one |", "no table"},
		"who runs it, odd": {"`TestA`", "`TestA` (`make x`)", "form"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pattern.Parse(strings.Replace(row, c.old, c.new, 1))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error = %v, want one about %q", err, c.says)
			}
		})
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sources is a module with a test of each fate, and a catalogue that names the one at the marks.
var sources = map[string]string{
	"go.mod": "module example.com/m\n\ngo 1.26\n",
	"well/well_test.go": `package well

import "testing"

func TestPasses(t *testing.T) {
	t.Log("said by a test that passes")
	t.Run("one case", func(*testing.T) {})
}

func TestSkipped(t *testing.T) { t.Skip("said by a test that is skipped") }

func TestAllSkipped(t *testing.T) {
	t.Run("one case", func(t *testing.T) { t.Skip("no server") })
}
`,
	"badly/badly_test.go": `package badly

import "testing"

func TestPasses(t *testing.T) { t.Log("said beside a failure") }

func TestFails(t *testing.T) {
	t.Run("one case", func(t *testing.T) { t.Error("said by a test that fails") })
}

func TestZPanics(*testing.T) { panic("said by a panic") }
`,
	"well/tagged_test.go": `//go:build server && (unix || windows)

package well

import "testing"

func TestOnServer(t *testing.T) {
	t.Run("one case", func(*testing.T) {})
}

func TestFailsOnServer(t *testing.T) { t.Error("said on a server") }
`,
	"well/elsewhere_test.go":  "//go:build !server\n\npackage well\n\nimport \"testing\"\n\nfunc TestWithoutServer(*testing.T) {}\n",
	"unbuilt/unbuilt_test.go": "package unbuilt\n\nvar _ = undefined\n",
}

func TestProofsMustPass(t *testing.T) {
	dir := t.TempDir() // one for all cases, so that each package is built once
	for name, c := range map[string]struct {
		proof    string
		packages string
		code     int
		shows    []string
		hides    string
	}{
		"a test that passes": {"`well` `TestPasses`", "./well", 0, []string{"ok  \texample.com/m/well\t"}, "said by"},
		"one of its cases":   {"`well` `TestPasses/one case`", "./well", 0, []string{"ok  \texample.com/m/well\t"}, "said by"},
		"a skipped test": {
			"`well` `TestSkipped`", "./well", 1,
			[]string{"ok  \texample.com/m/well\t", "row 7, Some pattern is not proven: well TestSkipped was skipped\n"}, "said by",
		},
		"a test of which nothing ran": {
			"`well` `TestAllSkipped`", "./well", 1,
			[]string{"row 7, Some pattern is not proven: well TestAllSkipped passed, but all its subtests were skipped\n"}, "said by",
		},
		"a test that is not there": {
			"`well` `TestRenamed`", "./well", 1,
			[]string{"row 7, Some pattern is not proven: well TestRenamed did not run"}, "said by",
		},
		"a case that is not there": {
			"`well` `TestPasses/renamed`", "./well", 1,
			[]string{"row 7, Some pattern is not proven: well TestPasses/renamed did not run"}, "said by",
		},
		"a package that was not tested": {
			"`badly` `TestPasses`", "./well", 1, []string{"row 7, Some pattern is not proven: badly TestPasses did not run"}, "said by",
		},
		"a test that another target runs": {
			"`badly` `TestPasses` (make other)", "./well", 0, []string{"ok  \texample.com/m/well\t"}, "not proven",
		},
		"a test that fails": {
			"`badly` `TestFails`", "./badly ./well", 1,
			[]string{
				"    badly_test.go:8: said by a test that fails\n", "--- FAIL: TestFails", "--- FAIL: TestFails/one_case",
				"said by a panic", "FAIL\texample.com/m/badly\t", "ok  \texample.com/m/well\t", "\nFAIL\n",
				"row 7, Some pattern is not proven: badly TestFails failed\n",
			}, "said beside a failure",
		},
		"a failure elsewhere": {
			"`well` `TestPasses`", "./badly ./well", 1, []string{"said by a test that fails", "\nFAIL\n"}, "not proven",
		},
		"a package that does not build": {
			"`well` `TestPasses`", "./unbuilt ./well", 1,
			[]string{"undefined: undefined", "FAIL\texample.com/m/unbuilt [build failed]\n", "ok  \texample.com/m/well\t"}, "not proven",
		},
	} {
		t.Run(name, func(t *testing.T) {
			lay(t, dir, "| 7 | Some pattern | [code](x) | "+c.proof+" | [page](x.md) |\n")
			t.Chdir(dir)
			var out strings.Builder
			code, err := run(append([]string{"go", "test"}, strings.Fields(c.packages)...), &out, &out)
			if code != c.code {
				t.Errorf("exit status %d (%v), want %d", code, err, c.code)
			}
			for _, text := range c.shows {
				if !strings.Contains(out.String(), text) {
					t.Errorf("it does not print %q", text)
				}
			}
			if strings.Contains(out.String(), c.hides) {
				t.Errorf("it prints %q", c.hides)
			}
			if t.Failed() {
				t.Logf("it printed:\n%s", &out)
			}
		})
	}
}

// lay makes the module in a folder.
func lay(t *testing.T, dir, catalogue string) {
	t.Helper()
	files := map[string]string{"docs/patterns/README.md": catalogue}
	for name, text := range sources {
		files[name] = text
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWithoutACatalogueNothingRuns(t *testing.T) {
	t.Chdir(t.TempDir())
	var out strings.Builder
	code, err := run([]string{"go", "test", "./..."}, &out, &out)
	if code == 0 || err == nil || !strings.Contains(err.Error(), "docs/patterns/README.md") {
		t.Errorf("exit status %d, error %v, want one about the catalogue", code, err)
	}
	if code, err := run([]string{"go", "build"}, &out, &out); code != 2 || err == nil {
		t.Errorf("exit status %d, error %v for a command that is no test, want 2", code, err)
	}
}

func TestTaggedTestsRunAlone(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, "| 7 | Some pattern | [code](x) | `well` `TestOnServer/one case`<br>`well` `TestPasses` | [page](x.md) |\n")
	t.Chdir(dir)
	for name, c := range map[string]struct {
		args  string
		code  int
		shows string
	}{
		"both":             {"go test ./well -- go test -tags server -skip TestFails", 0, "ok  \texample.com/m/well\t"},
		"three":            {"go test -run TestPasses ./well -- go test -run TestOther ./well -- go test -tags server -skip TestFails", 0, "ok  \texample.com/m/well\t"},
		"in the middle":    {"go test -run TestPasses ./well -- go test -run TestFails ./badly -- go test -tags server -skip TestFails", 1, "said by a test that fails"},
		"a failure there":  {"go test ./well -- go test -tags=server", 1, "said on a server"},
		"the second alone": {"go test -run TestOther ./well -- go test -tags server -skip TestFails", 1, "not proven: well TestPasses did not run"},
		"the first alone":  {"go test ./well", 1, "not proven: well TestOnServer/one case did not run"},
		"not checked":      {"-unchecked go test ./well", 0, "ok  \texample.com/m/well\t"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if code, err := run(strings.Fields(c.args), &out, &out); code != c.code || !strings.Contains(out.String(), c.shows) {
				t.Errorf("exit status %d (%v), want %d and %q in:\n%s", code, err, c.code, c.shows, &out)
			}
		})
	}
	got, err := brought(os.DirFS("."), []string{"go", "test", "-tags", "server"})
	if want := "go test -tags server -run ^(TestFailsOnServer|TestOnServer)$ ./well"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	for _, none := range []string{"go test", "go test -tags other"} {
		if got, err := brought(os.DirFS("."), strings.Fields(none)); err == nil {
			t.Errorf("%s brings %v, want an error", none, got)
		}
	}
}

func TestLongLinesAndForeignOnesPass(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	events := `{"Action":"output","Package":"p","Test":"T","Output":"` + long + `\n"}` + "\n" +
		`{"Action":"fail","Package":"p","Test":"T"}` + "\n" + "go: something else\n" + `{"Action":"fail","Package":"p"}` + "\n"
	var out strings.Builder
	got, err := show(strings.NewReader(events), &out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), long) || !strings.Contains(out.String(), "go: something else\n") {
		t.Errorf("of %d bytes it prints %d", len(events), out.Len())
	}
	if verdict := got.of("p", "T"); verdict != failed {
		t.Errorf("the test %s, want that it failed", verdict)
	}
}

func TestOutputOfATestThatWasKilledIsShown(t *testing.T) {
	var out strings.Builder
	const event = `{"Action":"output","Package":"p","Test":"T","Output":"its last words\n"}`
	if _, err := show(strings.NewReader(event), &out); err != nil || !strings.Contains(out.String(), "its last words") {
		t.Errorf("printed %q, error %v", &out, err)
	}
}

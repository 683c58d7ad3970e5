package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a small module: a sum, a test that looks at it well, and one that does not.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":     "module example.com/sum\n\ngo 1.26\n",
		"sum/sum.go": "package sum\n\n// Sum adds.\nfunc Sum(a, b int) int {\n\treturn a + b\n}\n",
		"sum/sum_test.go": `package sum

import "testing"

func TestSum(t *testing.T) {
	t.Run("of two", func(t *testing.T) {
		if Sum(2, 3) != 5 {
			t.Error("wrong")
		}
	})
}

func TestNothing(*testing.T) { Sum(1, 1) }

func TestBroken(t *testing.T) { t.Error("always") }
`,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// of is a mutant of the sum.
func of(old, changed, tested string) mutant {
	return mutant{"sum", "changed", []edit{{"sum/sum.go", old, changed}}, []tests{{"sum", tested}}}
}

func TestVerdicts(t *testing.T) {
	root := module(t)
	for name, test := range map[string]struct {
		mutant mutant
		want   verdict
		tells  string // of what noticed it or why it was not tried
		code   int
	}{
		"noticed":                  {of("a + b", "a - b", "TestSum"), killed, "sum TestSum/of_two", 0},
		"noticed by a panic":       {of("a + b", "[]int{}[a]", "TestSum"), killed, "sum TestSum/of_two", 0},
		"noticed by nobody":        {of("a + b", "a - b", "TestNothing"), survived, "", 1},
		"text that is gone":        {of("a * b", "a - b", "TestSum"), broken, "sum/sum.go has 0 times", 1},
		"text that is there often": {of("int", "int64", "TestSum"), broken, "sum/sum.go has 2 times", 1},
		"no change":                {of("a + b", "a + b", "TestSum"), broken, "changes nothing", 1},
		"no Go":                    {of("a + b", "a +", "TestSum"), broken, "does not compile", 1},
		"another type":             {of("a + b", `"x"`, "TestSum"), broken, "does not compile", 1},
		"no such test":             {of("a + b", "a - b", "TestGone"), broken, "sum TestGone is no test that runs", 1},
		"a test that fails anyway": {of("a + b", "a - b", "TestBroken"), broken, "fails without the mutant: TestBroken", 1},
		"no such file":             {mutant{"sum", "x", []edit{{"sum/gone.go", "a", "b"}}, nil}, broken, "does not fit", 1},
		"noticed by the second": {mutant{"sum", "x", []edit{{"sum/sum.go", "a + b", "a - b"}}, []tests{{"sum", "TestNothing"}, {"sum", "TestSum"}}},
			killed, "sum TestSum/of_two", 0},
		"two edits of a file": {mutant{"sum", "x", []edit{{"sum/sum.go", "return a", "return -a"}, {"sum/sum.go", "+ b", "- b"}}, []tests{{"sum", "TestSum"}}},
			killed, "sum TestSum/of_two", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code, err := run(t.Context(), root, []mutant{test.mutant}, []string{"--json"}, &stdout, &stderr)
			if err != nil {
				t.Fatal(err)
			}
			var got []result
			if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || len(got) != 1 {
				t.Fatalf("%v: %s", err, &stdout)
			}
			told := got[0].Error + strings.Join(got[0].By, ",")
			if code != test.code || got[0].Verdict != test.want || !strings.Contains(told, test.tells) {
				t.Errorf("exit code %d, %+v; want %d, %s, %s", code, got[0], test.code, test.want, test.tells)
			}
		})
	}
	text, err := os.ReadFile(filepath.Join(root, "sum", "sum.go"))
	if err != nil || !strings.Contains(string(text), "a + b") {
		t.Errorf("the tree was changed: %s, %v", text, err)
	}
}

func TestReportAndChoice(t *testing.T) {
	root := module(t)
	list := []mutant{of("a + b", "a - b", "TestSum"), of("a + b", "a * b", "TestNothing")}
	list[1].mechanism = "product"
	var stdout, stderr bytes.Buffer
	code, err := run(t.Context(), root, list, nil, &stdout, &stderr)
	if code != 1 || err != nil {
		t.Errorf("exit code %d, %v", code, err)
	}
	for _, want := range []string{"| sum | changed | killed | sum TestSum/of_two |", "| product | changed | survived |", "2 mutants: 1 killed, 1 survived, 0 not tried"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &stdout)
		}
	}
	stdout.Reset()
	if code, err := run(t.Context(), root, list, []string{"--run", "^sum"}, &stdout, &stderr); code != 0 || err != nil || strings.Contains(stdout.String(), "product") {
		t.Errorf("exit code %d, %v:\n%s", code, err, &stdout)
	}
	for _, args := range [][]string{{"--run", "("}, {"--run", "none"}, {"--unheard-of"}, {"sum"}} {
		if code, err := run(t.Context(), root, list, args, &stdout, &stderr); code != 2 || err == nil {
			t.Errorf("%q: exit code %d, %v", args, code, err)
		}
	}
}

// The mutants run in make soak only; that they fit is looked at each time.
func TestEveryMutantFitsItsFile(t *testing.T) {
	lab := &lab{root: filepath.Join("..", ".."), dir: t.TempDir()}
	for _, m := range all {
		if _, err := lab.overlay(m.edits); err != nil {
			t.Errorf("%s: %s: %v", m.mechanism, m.change, err)
		}
		if len(m.edits) == 0 || len(m.tests) == 0 {
			t.Errorf("%s: %s: it has no edit or no test", m.mechanism, m.change)
		}
	}
}

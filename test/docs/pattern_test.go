package docs_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/test/pattern"
)

const (
	patternFolder = "docs/patterns/"
	patternCount  = 37
)

// headings of a page, in this order.
var headings = []string{
	"The problem", "The picture", "Where the code is", "How it is proven", "What the mesh does, and what the service does", "Traps",
	"When not to use it",
}

// tagsOf are the build tags with which a target runs its tests.
var tagsOf = map[string][]string{
	pattern.Verify:    {"real"},
	"make mesh-proof": nil,
	"make kind-e2e":   {"kind"},
}

func readCatalogue(t *testing.T) pattern.Catalogue {
	t.Helper()
	catalogue, err := pattern.Read(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	return catalogue
}

func TestDocumentsListEveryPattern(t *testing.T) {
	catalogue := readCatalogue(t)
	seen := map[int]string{}
	for _, rows := range [][]pattern.Row{catalogue.Shown, catalogue.Missing} {
		for i, row := range rows {
			if i > 0 && row.Number < rows[i-1].Number {
				t.Errorf("%s:%d: %s stands behind %s", pattern.File, row.Line, row, rows[i-1])
			}
			if other, twice := seen[row.Number]; twice {
				t.Errorf("%s:%d: %q and %q have the number %d", pattern.File, row.Line, other, row.Name, row.Number)
			}
			seen[row.Number] = row.Name
		}
	}
	for number := 1; number <= patternCount; number++ {
		if seen[number] == "" {
			t.Errorf("%s: there is no pattern %d: one that is not shown stands in the list of those", pattern.File, number)
		}
	}
	if len(seen) > patternCount {
		t.Errorf("%s has %d patterns, and patternCount is %d", pattern.File, len(seen), patternCount)
	}
}

func TestDocumentsProvePatternsWithTestsThatRun(t *testing.T) {
	for _, row := range readCatalogue(t).Shown {
		for _, proof := range row.Proofs {
			if err := exists(root, proof); err != nil {
				t.Errorf("%s:%d: %s: %v", pattern.File, row.Line, row, err)
			}
		}
	}
}

func TestDocumentsHaveAPageForEachPattern(t *testing.T) {
	pages := map[string]string{}
	for _, d := range documents(t) {
		if strings.HasPrefix(d.path, patternFolder) && d.path != pattern.File {
			pages[d.path] = d.text
		}
	}
	for _, row := range readCatalogue(t).Shown {
		file := path.Join(patternFolder, row.Page)
		text, found := pages[file]
		if !found {
			t.Errorf("%s:%d: the page of %s, %s, is not there, or is another row's, too", pattern.File, row.Line, row, file)
			continue
		}
		delete(pages, file)
		for _, problem := range wrongPage(text, row) {
			t.Errorf("%s: %s", file, problem)
		}
	}
	for file := range pages {
		t.Errorf("%s is no row's page: name it in %s", file, pattern.File)
	}
}

// wrongPage says what a page lacks.
func wrongPage(text string, row pattern.Row) []string {
	var problems []string
	parts := strings.Split(text, "\n## ")
	var got []string
	for _, part := range parts[1:] {
		title, _, _ := strings.Cut(part, "\n")
		got = append(got, title)
	}
	if !slices.Equal(got, headings) {
		return []string{fmt.Sprintf("its parts are %q, want %q", got, headings)}
	}
	for i, part := range parts[1:] {
		if len(strings.Fields(part)) < 15 {
			problems = append(problems, fmt.Sprintf("it says next to nothing under %q", headings[i]))
		}
	}
	if !strings.HasPrefix(text, "# ") {
		problems = append(problems, "it does not begin with its title")
	}
	if !strings.Contains(parts[2], "```mermaid\n") {
		problems = append(problems, "there is no picture")
	}
	if !strings.Contains(parts[3], "<!-- code ") {
		problems = append(problems, "it shows no code")
	}
	for _, proof := range row.Proofs {
		test, _, _ := strings.Cut(proof.Test, "/")
		if !strings.Contains(parts[4], test) {
			problems = append(problems, fmt.Sprintf("it does not say how %s proves it", proof))
		}
	}
	return problems
}

// exists checks that a test is where it is said to be, is built for the target that runs it, and is not always skipped. Names of
// subtests must stand in its package, or in a folder below, as a text.
func exists(root string, proof pattern.Proof) error {
	tags, known := tagsOf[proof.By]
	if !known {
		return fmt.Errorf("%s: nothing is known of the target %q: see tagsOf", proof, proof.By)
	}
	if nested := proof.Package == "mesh/proof"; nested != (proof.By == "make mesh-proof") {
		return fmt.Errorf("%s: make mesh-proof runs what is in mesh/proof, and nothing else does", proof)
	}
	if cluster := proof.Package == "test/kind"; cluster != (proof.By == "make kind-e2e") {
		return fmt.Errorf("%s: make kind-e2e runs what is in test/kind, and nothing else does", proof)
	}
	dir := filepath.Join(root, proof.Package)
	functions, err := parsePackage(dir, tags)
	if err != nil {
		return fmt.Errorf("%s: %w", proof, err)
	}
	names := strings.Split(proof.Test, "/")
	test := functions[names[0]]
	if test == nil || !test.test {
		return fmt.Errorf("%s: there is no such test in %s, with the build tags %q", proof, proof.Package, tags)
	}
	if at := functions.skips(names[0], map[string]bool{}); at != "" {
		return fmt.Errorf("%s: it is skipped each time, at %s", proof, at)
	}
	for _, name := range names[1:] {
		if err := written(dir, name); err != nil {
			return fmt.Errorf("%s: %w", proof, err)
		}
	}
	return nil
}

type function struct {
	decl *ast.FuncDecl
	test bool // it stands in a file of tests
	fset *token.FileSet
}

// functions are those of a package, without methods.
type functions map[string]*function

func parsePackage(dir string, tags []string) (functions, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	target := build.Default
	target.BuildTags = tags
	all := functions{}
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".go" {
			continue
		}
		if built, err := target.MatchFile(dir, entry.Name()); err != nil || !built {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(dir, entry.Name()), nil, 0)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			if f, is := d.(*ast.FuncDecl); is && f.Recv == nil && f.Body != nil {
				all[f.Name.Name] = &function{f, strings.HasSuffix(entry.Name(), "_test.go"), fset}
			}
		}
	}
	return all, nil
}

// skips is where a function skips its test without asking anything before, itself or in one of its package that it calls.
func (all functions) skips(name string, asked map[string]bool) (at string) {
	f := all[name]
	if f == nil || asked[name] {
		return ""
	}
	asked[name] = true
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt, *ast.CaseClause, *ast.CommClause:
			return false
		case *ast.CallExpr:
			switch called := n.Fun.(type) {
			case *ast.SelectorExpr:
				if slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, called.Sel.Name) {
					position := f.fset.Position(n.Pos())
					at = fmt.Sprintf("%s:%d", filepath.Base(position.Filename), position.Line)
				}
			case *ast.Ident:
				if deeper := all.skips(called.Name, asked); deeper != "" {
					at = deeper
				}
			}
		}
		return at == ""
	})
	return at
}

// written finds a text in the Go files of a folder and below it.
func written(dir, name string) error {
	found := errors.New("found")
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Contains(string(source), strconv.Quote(name)) {
			return found
		}
		return nil
	})
	switch {
	case errors.Is(err, found):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%q is the name of no test in its package", name)
}

func TestExistsKnowsWhatRuns(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/a.go": "package a\n\nfunc TestNone() {}\n",
		"a/a_test.go": `package a

func TestGood(t *testing.T) { t.Run("one case", func(*testing.T) {}) }
func TestSometimes(t *testing.T) { if testing.Short() { t.Skip("slow") } }
func TestNever(t *testing.T) { t.Skip("later") }
func TestNeverDeeper(t *testing.T) { t.Run("x", func(t *testing.T) { server(t) }) }
func server(t *testing.T) { server(t); t.Skipf("no %s", "server") }
func TestByMethod(t *testing.T) { for range 3 { t.SkipNow() } }
`,
		"a/real_test.go":           "//go:build real\n\npackage a\n\nfunc TestReal(t *testing.T) {}\n",
		"a/other_test.go":          "//go:build windows\n\npackage a\n\nfunc TestElsewhere(t *testing.T) {}\n",
		"a/suite/suite.go":         "package suite\n\nvar _ = \"a case of the suite\"\n",
		"mesh/proof/proof_test.go": "package proof\n\nfunc TestMesh(t *testing.T) {}\n",
		"test/kind/kind_test.go":   "//go:build kind\n\npackage kind\n\nfunc TestKind(t *testing.T) {}\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, proof := range []pattern.Proof{
		{Package: "a", Test: "TestGood", By: pattern.Verify},
		{Package: "a", Test: "TestGood/one case", By: pattern.Verify},
		{Package: "a", Test: "TestGood/a case of the suite", By: pattern.Verify},
		{Package: "a", Test: "TestSometimes", By: pattern.Verify},
		{Package: "a", Test: "TestReal", By: pattern.Verify},
		{Package: "mesh/proof", Test: "TestMesh", By: "make mesh-proof"},
		{Package: "test/kind", Test: "TestKind", By: "make kind-e2e"},
	} {
		if err := exists(dir, proof); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	for want, proof := range map[string]pattern.Proof{
		"no such test in":               {Package: "a", Test: "TestGone", By: pattern.Verify},
		"no such test in a, with":       {Package: "a", Test: "TestNone", By: pattern.Verify},
		`with the build tags ["real"]`:  {Package: "a", Test: "TestElsewhere", By: pattern.Verify},
		"name of no test":               {Package: "a", Test: "TestGood/another case", By: pattern.Verify},
		"at a_test.go:5":                {Package: "a", Test: "TestNever", By: pattern.Verify},
		"at a_test.go:7":                {Package: "a", Test: "TestNeverDeeper", By: pattern.Verify},
		"at a_test.go:8":                {Package: "a", Test: "TestByMethod", By: pattern.Verify},
		"no such file":                  {Package: "b", Test: "TestGood", By: pattern.Verify},
		`target "make soup"`:            {Package: "a", Test: "TestGood", By: "make soup"},
		"runs what is in mesh/proof":    {Package: "mesh/proof", Test: "TestMesh", By: pattern.Verify},
		"nothing else does":             {Package: "a", Test: "TestGood", By: "make mesh-proof"},
		"kind-e2e runs what is in test": {Package: "a", Test: "TestGood", By: "make kind-e2e"},
	} {
		if err := exists(dir, proof); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s (%s): error = %v, want one about %q", proof, proof.By, err, want)
		}
	}
}

func TestPagesAreWhole(t *testing.T) {
	row := pattern.Row{Proofs: []pattern.Proof{{Package: "a", Test: "TestA/one case"}}}
	words := strings.Repeat("word ", 20)
	page := "# Title\n\nA sentence.\n"
	for _, heading := range headings {
		page += "\n## " + heading + "\n\n" + words + "\n"
		switch heading {
		case "The picture":
			page += "```mermaid\nflowchart LR\n```\n"
		case "Where the code is":
			page += "<!-- code a.go F -->\n"
		case "How it is proven":
			page += "`TestA`\n"
		}
	}
	if problems := wrongPage(page, row); problems != nil {
		t.Errorf("a whole page is refused: %q", problems)
	}
	for name, pattern := range map[string]string{
		"no title":      `^# Title\n`,
		"a part gone":   `\n## Traps\n`,
		"no picture":    "```mermaid\n",
		"no code":       `<!-- code.*\n`,
		"no test":       "`TestA`",
		"an empty part": `(?:word )+\n$`,
	} {
		without := regexp.MustCompile(pattern).ReplaceAllString(page, "")
		if without == page || wrongPage(without, row) == nil {
			t.Errorf("a page with %s passes", name)
		}
	}
}

var testCommand = regexp.MustCompile(`^go test(?: -race| -v| -tags real)* (?:\./)?([a-z0-9/_.-]+) -run '?\^?(Test\w+)[^']*'?$`)

// checkTests checks the lines of a fence that is marked as tests.
func (d document) checkTests(root string, b block) error {
	for line := range strings.Lines(b.script) {
		command, _, _ := strings.Cut(line, "#")
		match := testCommand.FindStringSubmatch(strings.TrimSpace(command))
		if match == nil {
			return fmt.Errorf("%s:%d: %q is not go test ./package -run Test", d.path, b.line, strings.TrimSpace(line))
		}
		if err := exists(root, pattern.Proof{Package: match[1], Test: match[2], By: pattern.Verify}); err != nil {
			return fmt.Errorf("%s:%d: %w", d.path, b.line, err)
		}
		if strings.Contains(command, "-tags real") {
			continue
		}
		plain, err := parsePackage(filepath.Join(root, match[1]), nil)
		if err == nil && plain[match[2]] == nil {
			return fmt.Errorf("%s:%d: %s needs -tags real", d.path, b.line, match[2])
		}
	}
	return nil
}

func TestDocumentsShowTestsThatAreThere(t *testing.T) {
	for _, d := range documents(t) {
		blocks, err := d.blocks()
		if err != nil {
			continue // TestDocumentsMarkEveryCommand reports it
		}
		for _, b := range blocks {
			if b.marker != "test" {
				continue
			}
			if err := d.checkTests(root, b); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCommandsOfTestsAreChecked(t *testing.T) {
	d := document{path: "x.md"}
	for script, says := range map[string]string{
		"go test ./test/docs -run TestBlocks":                                 "",
		"go test -race -v ./test/docs -run 'TestBlocks/a case' # a word":      "",
		"go test ./test/docs -run TestGone":                                   "no such test",
		"go test ./test/gone -run TestBlocks":                                 "no such file",
		"go test ./...":                                                       "is not go test",
		"rm -r x":                                                             "is not go test",
		"go test ./test/real -run TestKafkaKeepsItsDataWhenKilled":            "needs -tags real",
		"go test -tags real ./test/real -run TestKafkaKeepsItsDataWhenKilled": "",
	} {
		err := d.checkTests(root, block{script: script + "\n", line: 1})
		if (says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error = %v, want one about %q", script, err, says)
		}
	}
}

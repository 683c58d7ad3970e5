package docs_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	codeMarker = regexp.MustCompile(`^<!-- code (\S+)(?: ([\w.]+))?(?: "([^"]+)" "([^"]+)")? -->$`)
	codeFence  = regexp.MustCompile("^```([a-z]+)$")
	codeKinds  = map[string]string{".go": "go", ".yaml": "yaml", ".json": "json", ".sql": "sql", ".lua": "lua"}
)

// excerpt is a part of a file of the project.
type excerpt struct {
	file   string
	symbol string // of Go: F, T, or T.M; empty for the whole file
	from   string // the first line of it that holds this text,
	to     string // up to the next that holds this one
}

func TestDocumentsShowTheCodeAsItIs(t *testing.T) {
	for _, d := range documents(t) {
		want, err := d.withCode(root)
		if err != nil {
			t.Error(err)
			continue
		}
		if want == d.text {
			continue
		}
		if !*update {
			t.Errorf("%s shows code that is not what it was: run `make generate`, which writes it", d.path)
			continue
		}
		if err := os.WriteFile(filepath.Join(root, d.path), []byte(want), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// withCode is the text with every excerpt as its file has it now. In the catalogue of patterns, a fence of a language that the
// project is written in has a marker.
func (d document) withCode(root string) (string, error) {
	var out []string
	lines := strings.Split(d.text, "\n")
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		match := codeMarker.FindStringSubmatch(lines[i])
		if match == nil {
			if strings.HasPrefix(lines[i], "<!-- code") {
				return "", fmt.Errorf("%s:%d: a marker is <!-- code file Symbol \"from\" \"to\" -->", d.path, i+1)
			}
			if err := d.unmarked(lines, i); err != nil {
				return "", err
			}
			continue
		}
		text, err := excerpt{match[1], match[2], match[3], match[4]}.read(root)
		if err != nil {
			return "", fmt.Errorf("%s:%d: %w", d.path, i+1, err)
		}
		out = append(out, "```"+codeKinds[filepath.Ext(match[1])])
		out = append(out, text...)
		out = append(out, "```")
		if i+1 < len(lines) && codeFence.MatchString(lines[i+1]) { // it is what was here before
			for i++; i+1 < len(lines) && lines[i+1] != "```"; {
				i++
			}
			i++
		}
	}
	return strings.Join(out, "\n"), nil
}

// unmarked refuses code that nobody would notice to be out of date.
func (d document) unmarked(lines []string, i int) error {
	match := codeFence.FindStringSubmatch(lines[i])
	if match == nil || !strings.HasPrefix(d.path, patternFolder) {
		return nil
	}
	for _, kind := range codeKinds {
		if match[1] == kind {
			return fmt.Errorf("%s:%d: say in the line above where this is from: <!-- code file Symbol -->", d.path, i+1)
		}
	}
	return nil
}

// read gives the lines of the excerpt, without the indentation that they share.
func (e excerpt) read(root string) ([]string, error) {
	if codeKinds[filepath.Ext(e.file)] == "" {
		return nil, fmt.Errorf("%s is of no language whose code is shown", e.file)
	}
	source, err := os.ReadFile(filepath.Join(root, e.file))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(source), "\n"), "\n")
	if e.symbol != "" {
		first, last, err := declared(e.file, source, e.symbol)
		if err != nil {
			return nil, err
		}
		lines = lines[first-1 : last]
	}
	if e.from != "" {
		first := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, e.from) })
		if first < 0 {
			return nil, fmt.Errorf("no line of %s %s has %q", e.file, e.symbol, e.from)
		}
		lines = lines[first:]
		last := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, e.to) })
		if last < 0 {
			return nil, fmt.Errorf("no line of %s %s from %q on has %q", e.file, e.symbol, e.from, e.to)
		}
		lines = lines[:last+1]
	}
	return dedent(lines), nil
}

func dedent(lines []string) []string {
	shared := -1
	for _, line := range lines {
		if bare := strings.TrimLeft(line, "\t "); bare != "" && (shared < 0 || len(line)-len(bare) < shared) {
			shared = len(line) - len(bare)
		}
	}
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = line[min(max(shared, 0), len(line)):]
	}
	return out
}

// declared is where a declaration stands, without its comment: the first line and the last.
func declared(file string, source []byte, symbol string) (first, last int, err error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, 0)
	if err != nil {
		return 0, 0, err
	}
	for _, d := range parsed.Decls {
		if node := named(d, symbol); node != nil {
			return fset.Position(node.Pos()).Line, fset.Position(node.End()).Line, nil
		}
	}
	return 0, 0, errors.New(file + " declares no " + symbol)
}

// named is the declaration, or the part of a group, that declares the symbol.
func named(d ast.Decl, symbol string) ast.Node {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if receiver(d)+d.Name.Name == symbol {
			return d
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if !declares(s, symbol) {
				continue
			}
			if d.Lparen.IsValid() {
				return s
			}
			return d
		}
	}
	return nil
}

func declares(s ast.Spec, symbol string) bool {
	switch s := s.(type) {
	case *ast.TypeSpec:
		return s.Name.Name == symbol
	case *ast.ValueSpec:
		return slices.ContainsFunc(s.Names, func(name *ast.Ident) bool { return name.Name == symbol })
	}
	return false
}

// receiver is the name of a method's type with a dot, and nothing for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	kind := d.Recv.List[0].Type
	for {
		switch k := kind.(type) {
		case *ast.StarExpr:
			kind = k.X
		case *ast.IndexExpr:
			kind = k.X
		case *ast.IndexListExpr:
			kind = k.X
		case *ast.Ident:
			return k.Name + "."
		default:
			return ""
		}
	}
}

func TestExcerptsFollowTheirSource(t *testing.T) {
	dir := t.TempDir()
	const source = "package x\n\n// F has a comment.\nfunc F() {\n\tif true {\n\t\tone()\n\n\t\ttwo()\n\t}\n}\n\n" +
		"type T[K any] struct{}\n\nfunc (t *T[K]) M() {}\n\nconst (\n\ta = 1\n\tb = 2\n)\n"
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte("a:\n  b: 1\n  c: 2\nd: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const fence = "```"
	for marker, want := range map[string]string{
		`x.go F`:                 "go\nfunc F() {\n\tif true {\n\t\tone()\n\n\t\ttwo()\n\t}\n}",
		`x.go F "one()" "two()"`: "go\none()\n\ntwo()",
		`x.go T`:                 "go\ntype T[K any] struct{}",
		`x.go T.M`:               "go\nfunc (t *T[K]) M() {}",
		`x.go b`:                 "go\nb = 2",
		`x.yaml "b" "c"`:         "yaml\nb: 1\nc: 2",
	} {
		old := "before\n<!-- code " + marker + " -->\n" + fence + "go\nfunc Old() {}\n" + fence + "\nafter\n"
		got, err := document{patternFolder + "x.md", old}.withCode(dir)
		if err != nil {
			t.Errorf("%s: %v", marker, err)
			continue
		}
		if want := "before\n<!-- code " + marker + " -->\n" + fence + want + "\n" + fence + "\nafter\n"; got != want {
			t.Errorf("%s gives\n%s\nwant\n%s", marker, got, want)
		}
		if again, err := (document{patternFolder + "x.md", got}).withCode(dir); again != got || err != nil {
			t.Errorf("%s: written again it is different (%v):\n%s", marker, err, again)
		}
	}
	for name, text := range map[string]string{
		"code without a marker":    fence + "go\nfunc Old() {}\n" + fence,
		"no such symbol":           "<!-- code x.go G -->",
		"a method as a function":   "<!-- code x.go M -->",
		"no such line":             `<!-- code x.go F "three()" "two()" -->`,
		"lines in the wrong order": `<!-- code x.go F "two()" "one()" -->`,
		"no such file":             "<!-- code y.go F -->",
		"a misspelt marker":        "<!-- code x.go F G -->",
		"a file of no language":    "<!-- code go.mod -->",
	} {
		if _, err := (document{patternFolder + "x.md", text}).withCode(dir); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

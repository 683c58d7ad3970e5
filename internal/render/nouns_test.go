package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// nasty are nouns that mean something to Go, to YAML, to Windows, to the templates or to oapi-codegen.
var nasty = strings.Fields(`
	id ids err error ctx context store stores cached db page item items handler test tests t string type types func http api
	con aux com1 aa1 area51 null true no on new name list event outbox problem field-error client server-interface strict-handler
	service deps main init import map len nil any key publisher params uuid windows store-test foo-test spec consumer s
	order-line new-item new-client list-item problem-page`)

// TestNastyNounsTypeCheck makes a service of each and has the compiler's front end look at all of its Go.
func TestNastyNounsTypeCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("generating takes a while")
	}
	p := newPlatform(t)
	variants := []spec.Options{
		{Database: "postgres", Cache: "redis", Publishes: []string{"invoice.issued.v1"}},
		{Cache: "redis", Consumes: []string{"invoice.issued.v1"}},
		{Database: "postgres"},
		{Publishes: []string{"invoice.issued.v1", "invoice.paid.v1"}},
	}
	p.create("catalog", spec.Options{}, Inputs{Resource: "product"})
	for i, noun := range nasty {
		name := fmt.Sprintf("s-%d-of-it", i)
		o := variants[i%len(variants)]
		if i%3 == 0 {
			o.Calls = []spec.CallOption{{Service: "catalog", Operations: []string{"getProduct"}}}
		}
		p.create(name, o, NewInputs(name, noun, o.Publishes))
		if doc := p.read("services/" + name + "/internal/http/handler_test.go"); !strings.Contains(doc, "CanBeGot") {
			t.Errorf("%s: its contract is not taken for the seeded one", noun)
		}
	}
	c := newChecked(t)
	c.report = func(dir string, err error) {
		var i int
		if _, scan := fmt.Sscanf(dir, "services/s-%d-of-it", &i); scan == nil {
			dir = nasty[i]
		}
		t.Errorf("%s: %v", dir, err)
	}
	c.all(p)
}

// checked type-checks rendered packages. What they import from elsewhere comes out of the go command's cache.
type checked struct {
	t        *testing.T
	fset     *token.FileSet
	exported map[string]string // by import path, the file with what it exports
	// elsewhere imports the packages that were not rendered.
	elsewhere types.Importer
	rendered  map[string]*types.Package
	report    func(dir string, err error)
}

func newChecked(t *testing.T) *checked {
	c := &checked{t: t, fset: token.NewFileSet(), exported: map[string]string{}, rendered: map[string]*types.Package{}}
	c.elsewhere = importer.ForCompiler(c.fset, "gc", func(importPath string) (io.ReadCloser, error) {
		if file := c.exported[importPath]; file != "" {
			return os.Open(file)
		}
		return nil, errors.New("not listed")
	})
	return c
}

func (c *checked) Import(importPath string) (*types.Package, error) {
	if p := c.rendered[importPath]; p != nil {
		return p, nil
	}
	return c.elsewhere.Import(importPath)
}

// list has the go command say where it keeps what the packages export.
func (c *checked) list(imports []string) {
	c.t.Helper()
	args := append([]string{"list", "-buildvcs=false", "-export", "-deps", "-json=ImportPath,Export"}, imports...)
	command := exec.CommandContext(c.t.Context(), "go", args...)
	command.Dir = "../.."
	command.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		c.t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p struct{ ImportPath, Export string }
		if err := decoder.Decode(&p); err != nil {
			c.t.Fatal(err)
		}
		c.exported[p.ImportPath] = p.Export
	}
}

// all checks every package of the platform, tests included.
func (c *checked) all(p *platform) {
	c.t.Helper()
	packages, imports := map[string][]*ast.File{}, map[string]bool{}
	for file, content := range p.files {
		if path.Ext(file) != ".go" {
			continue
		}
		if base, _, _ := strings.Cut(path.Base(file), "."); spec.IsDevice(base) {
			c.t.Errorf("%s: Windows has no such file", file)
		}
		parsed, err := parser.ParseFile(c.fset, file, content.Data, parser.SkipObjectResolution)
		if err != nil {
			c.t.Fatal(err)
		}
		dir := path.Dir(file)
		packages[dir] = append(packages[dir], parsed)
		for _, i := range parsed.Imports {
			imports[strings.Trim(i.Path.Value, `"`)] = true
		}
	}
	var missing, dirs []string
	for dir := range packages {
		dirs = append(dirs, dir)
		delete(imports, module+"/"+dir)
	}
	for importPath := range imports {
		missing = append(missing, importPath)
	}
	slices.Sort(missing)
	c.list(missing)
	// A package comes after those that it imports: api first, a program last.
	rank := func(dir string) string {
		i := slices.IndexFunc([]string{"/api", "/migrations", "/internal/store", "/internal/consumer", "/internal/http"}, func(end string) bool { return strings.HasSuffix(dir, end) })
		return fmt.Sprint((i+6)%6) + dir
	}
	slices.SortFunc(dirs, func(a, b string) int { return strings.Compare(rank(a), rank(b)) })
	for _, dir := range dirs {
		conf := types.Config{Importer: c, Error: func(err error) { c.report(dir, err) }}
		checked, _ := conf.Check(module+"/"+dir, c.fset, packages[dir], nil)
		c.rendered[module+"/"+dir] = checked
	}
}

// TestTemplatesOwnNamesAreKnown finds the names that the variable and the types of a resource could clash with, and sees to it
// that no noun gives one of them.
func TestTemplatesOwnNamesAreKnown(t *testing.T) {
	p := newPlatform(t)
	p.create("catalog", spec.Options{}, Inputs{Resource: "product"})
	catalog := []spec.CallOption{{Service: "catalog", Operations: []string{"getProduct"}}}
	for i, o := range []spec.Options{
		{Database: "postgres", Cache: "redis", Publishes: []string{"zebra.created.v1"}, Consumes: []string{"zebra.created.v1"}, Calls: catalog},
		{Cache: "redis", Publishes: []string{"zebra.created.v1"}, Consumes: []string{"zebra.created.v1"}},
		{Database: "postgres"},
		{},
	} {
		name := fmt.Sprintf("zebras%d", i)
		p.create(name, o, NewInputs(name, "zebra", o.Publishes), "onFailure: fail", "onFailure: degrade")
	}
	seen := map[string]bool{}
	for file, content := range p.files {
		if !strings.HasPrefix(file, "services/zebras") || path.Ext(file) != ".go" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, content.Data, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		var clashes []string
		switch folder := path.Base(path.Dir(file)); {
		case folder == "api":
			clashes = clashingTypes(parsed)
		case folder == "store":
			clashes = append(clashingVariables(parsed), clashingTypes(parsed)...)
		case folder == "http", path.Base(file) == "main.go":
			clashes = clashingVariables(parsed)
		}
		for _, name := range clashes {
			if !seen[name] {
				t.Errorf("%s has %s, and so has a resource: add it to templateNames or reservedTypes", file, name)
			}
			seen[name] = true
		}
	}
}

// clashingVariables are the names in a file that some noun gives for a variable.
func clashingVariables(file *ast.File) (names []string) {
	selected := map[*ast.Ident]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			selected[n.Sel] = true
		case *ast.ImportSpec:
			names = append(names, importName(n))
		case *ast.Ident:
			if !selected[n] {
				names = append(names, n.Name)
			}
		}
		return true
	})
	return slices.DeleteFunc(names, func(name string) bool {
		return ofTheTest(name) || slices.Contains([]string{"item", "items"}, name) || variable(kebab(name)) != name
	})
}

// clashingTypes are the names that the package of a file has already and some noun gives for a type.
func clashingTypes(file *ast.File) (names []string) {
	for _, decl := range file.Decls {
		for _, declared := range declaredNames(decl) {
			name := declared.Name
			for _, noun := range []string{name, strings.TrimPrefix(name, "New"), strings.TrimSuffix(name, "Page")} {
				if noun == "" || ofTheTest(name) || !ast.IsExported(name) {
					continue
				}
				if r, err := newResource("zebras", kebab(noun)); err == nil && r.Go == noun {
					names = append(names, noun)
				}
			}
		}
	}
	return names
}

// kebab is an identifier as a noun of a command line.
func kebab(identifier string) string { return strings.ReplaceAll(snake(identifier), "_", "-") }

// ofTheTest holds for the names that come from the test's own nouns.
func ofTheTest(name string) bool {
	return strings.HasPrefix(name, "Test") || slices.ContainsFunc([]string{"zebra", "product", "catalog"}, func(noun string) bool {
		return strings.Contains(strings.ToLower(name), noun)
	})
}

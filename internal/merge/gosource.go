package merge

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goSource is what a Go file imports, and which names it uses that it does not declare itself: those of packages among them.
type goSource struct {
	imports []goImport
	uses    map[string][]string // by name, what is selected from it, sorted; "" where the name stands alone
}

// goImport is an import with its comments.
type goImport struct {
	name, path string // the name is empty where the file gives none
	text       string
}

func newImport(spec *ast.ImportSpec, text string) goImport {
	i := goImport{text: text}
	i.path, _ = strconv.Unquote(spec.Path.Value)
	if spec.Name != nil {
		i.name = spec.Name.Name
	}
	return i
}

func readGo(text []byte) (goSource, bool) {
	file, err := parser.ParseFile(token.NewFileSet(), "", text, 0)
	if err != nil {
		return goSource{}, false
	}
	s := goSource{uses: usesOf(file)}
	for _, spec := range file.Imports {
		s.imports = append(s.imports, newImport(spec, ""))
	}
	return s, true
}

func usesOf(file *ast.File) map[string][]string {
	alone := make(map[*ast.Ident]bool, len(file.Unresolved))
	for _, ident := range file.Unresolved {
		alone[ident] = true
	}
	uses := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && alone[x] {
				delete(alone, x)
				uses[x.Name] = append(uses[x.Name], selector.Sel.Name)
			}
		}
		return true
	})
	for ident := range alone {
		uses[ident.Name] = append(uses[ident.Name], "")
	}
	for _, selected := range uses {
		slices.Sort(selected)
	}
	return uses
}

func (i goImport) same(other goImport) bool { return i.name == other.name && i.path == other.path }

func (i goImport) standard() bool {
	first, _, _ := strings.Cut(i.path, "/")
	return !strings.Contains(first, ".")
}

// names are those that a file may know the package by: without a name in the import, only the package itself knows.
func (i goImport) names() []string {
	switch i.name {
	case "_", ".":
		return nil
	case "":
	default:
		return []string{i.name}
	}
	last := path.Base(i.path)
	names := []string{last}
	if majorVersion.MatchString(last) {
		last = path.Base(path.Dir(i.path))
	}
	last, _, _ = strings.Cut(last, ".")
	names = append(names, last)
	names = append(names, strings.Split(last, "-")...)
	slices.Sort(names)
	return slices.Compact(names)
}

var majorVersion = regexp.MustCompile(`^v\d+$`)

// nameOf is the name by which the file uses the package, or "" where it does not tell for sure.
func (s goSource) nameOf(i goImport) string {
	if i.name != "" && i.name != "_" && i.name != "." {
		return i.name
	}
	others := goSource{imports: slices.DeleteFunc(slices.Clone(s.imports), i.same)}
	sure := ""
	for _, name := range i.names() {
		if selected := s.uses[name]; len(selected) == 0 || slices.Contains(selected, "") || others.mayProvide(name) {
			continue
		}
		if sure != "" {
			return ""
		}
		sure = name
	}
	return sure
}

func (s goSource) mayProvide(name string) bool {
	return slices.ContainsFunc(s.imports, func(i goImport) bool { return slices.Contains(i.names(), name) })
}

// unexplained are the names that the file selects from without an import that is known to provide them: a package has one of them
// if it has another name than its path tells.
func (s goSource) unexplained() []string {
	var names []string
	for name, selected := range s.uses {
		if !s.mayProvide(name) && slices.ContainsFunc(selected, func(sel string) bool { return sel != "" }) {
			names = append(names, name)
		}
	}
	return names
}

func (s goSource) get(i goImport) (goImport, bool) {
	if n := slices.IndexFunc(s.imports, i.same); n >= 0 {
		return s.imports[n], true
	}
	return goImport{}, false
}

func (s goSource) has(i goImport) bool { return slices.ContainsFunc(s.imports, i.same) }

package render

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// goSource finishes a Go file: it adds the imports for the packages that the text names and formats it. Templates write no
// import blocks, so that none of their branches can leave one unused. The packages are import paths by name; names that
// the text does not use are left out.
func goSource(text string, packages map[string]string, module string) ([]byte, error) {
	clause := packageClause.FindStringIndex(text)
	if clause == nil {
		return nil, fmt.Errorf("no package clause")
	}
	block := importBlock(text[clause[1]:], packages, module)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text[:clause[1]]+block+text[clause[1]:], parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if err := declaredTwice(file); err != nil {
		return nil, err
	}
	pruneImports(fset, file)
	var out bytes.Buffer
	if err := format.Node(&out, fset, file); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

var packageClause = regexp.MustCompile(`(?m)^package \w+\n`)

// importBlock imports every package whose name stands before a dot somewhere in the text: those that are used, and perhaps
// some that only look so. The standard library comes first, then other modules, then the platform's own.
func importBlock(text string, packages map[string]string, module string) string {
	var groups [3][]string
	for name, importPath := range packages {
		if !strings.Contains(text, name+".") {
			continue
		}
		first, _, _ := strings.Cut(importPath, "/")
		group := 0
		switch {
		case importPath == module || strings.HasPrefix(importPath, module+"/"):
			group = 2
		case strings.Contains(first, "."):
			group = 1
		}
		groups[group] = append(groups[group], importSpec(name, importPath))
	}
	if strings.Contains(text, "\n//go:embed ") && !strings.Contains(text, "embed.FS") {
		groups[0] = append(groups[0], `_ "embed"`)
	}
	var b strings.Builder
	b.WriteString("\nimport (\n")
	for _, group := range groups {
		slices.SortFunc(group, func(a, b string) int {
			return strings.Compare(a[strings.IndexByte(a, '"'):], b[strings.IndexByte(b, '"'):])
		})
		b.WriteString(strings.Join(group, "\n") + "\n\n")
	}
	b.WriteString(")\n")
	return b.String()
}

// importSpec names the package only where its path does not end in its name.
func importSpec(name, importPath string) string {
	last := path.Base(importPath)
	if majorVersion.MatchString(last) {
		last = path.Base(path.Dir(importPath))
	}
	if last == name || strings.HasSuffix(last, "-"+name) {
		return fmt.Sprintf("%q", importPath)
	}
	return fmt.Sprintf("%s %q", name, importPath)
}

var majorVersion = regexp.MustCompile(`^v\d+$`)

// pruneImports takes out the imports of goSource's own block, which is the first declaration, that the file does not use.
func pruneImports(fset *token.FileSet, file *ast.File) {
	used := map[string]bool{}
	for _, name := range file.Unresolved {
		used[name.Name] = true
	}
	block := file.Decls[0].(*ast.GenDecl)
	lines := fset.File(block.Pos())
	block.Specs = slices.DeleteFunc(block.Specs, func(spec ast.Spec) bool {
		name := importName(spec.(*ast.ImportSpec))
		unused := name != "_" && !used[name]
		if unused {
			// Without its line, so that no gap is left where it stood.
			lines.MergeLine(lines.Line(spec.Pos()))
		}
		return unused
	})
	if len(block.Specs) == 0 {
		file.Decls = file.Decls[1:]
	}
	file.Imports = nil
	if len(block.Specs) == 1 {
		block.Lparen, block.Rparen = token.NoPos, token.NoPos
	}
}

// importName is the name that the file knows the package by; see importSpec.
func importName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	importPath := strings.Trim(spec.Path.Value, `"`)
	last := path.Base(importPath)
	if majorVersion.MatchString(last) {
		last = path.Base(path.Dir(importPath))
	}
	return last[strings.LastIndexByte(last, '-')+1:]
}

// declaredTwice finds names that two declarations of the file claim, as a schema called Client and the generated client do.
func declaredTwice(file *ast.File) error {
	seen := map[string]bool{}
	claim := func(name *ast.Ident) error {
		if seen[name.Name] && name.Name != "_" {
			return &duplicateError{name.Name}
		}
		seen[name.Name] = true
		return nil
	}
	for _, decl := range file.Decls {
		for _, name := range declaredNames(decl) {
			if err := claim(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func declaredNames(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name != "init" {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var names []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		}
		return names
	}
	return nil
}

// duplicateError is a name that is declared more than once in a package.
type duplicateError struct{ name string }

func (e *duplicateError) Error() string { return "declared twice: " + e.name }

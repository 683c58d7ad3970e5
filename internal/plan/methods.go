package plan

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strings"
)

// methods finds the Go methods that a person's files declare.
type methods struct {
	disk    Tree
	gone    map[string]bool              // files that the plan deletes
	folders map[string]map[string]string // folder, then "Type.Method", to file
}

// declaredIn is the file of the folder that declares the method, or "".
func (m *methods) declaredIn(dir, method string) (string, error) {
	if found, known := m.folders[dir]; known {
		return found[method], nil
	}
	entries, err := m.disk.ReadDir(dir)
	if err != nil {
		return "", err
	}
	found := map[string]string{}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if !entry.Type().IsRegular() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || m.gone[name] {
			continue
		}
		file, err := m.disk.Read(name)
		if err != nil {
			return "", err
		}
		if file != nil {
			for _, declared := range declarations(file.Content) {
				found[declared] = name
			}
		}
	}
	if m.folders == nil {
		m.folders = map[string]map[string]string{}
	}
	m.folders[dir] = found
	return found[method], nil
}

// declarations lists the methods of a Go file as "Type.Method" and its functions by their names. A file with syntax errors gives those up to the error.
func declarations(source []byte) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if file == nil && err != nil {
		return nil
	}
	var out []string
	for _, d := range file.Decls {
		fn, isFunc := d.(*ast.FuncDecl)
		if isFunc && fn.Recv == nil {
			out = append(out, fn.Name.Name)
		}
		if !isFunc || fn.Recv == nil || len(fn.Recv.List) != 1 {
			continue
		}
		receiver := fn.Recv.List[0].Type
		if star, isPointer := receiver.(*ast.StarExpr); isPointer {
			receiver = star.X
		}
		if ident, isNamed := receiver.(*ast.Ident); isNamed {
			out = append(out, ident.Name+"."+fn.Name.Name)
		}
	}
	return out
}

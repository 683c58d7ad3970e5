package plan

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strings"
)

// methods finds the Go methods that the files on the disk will declare once the plan is applied.
type methods struct {
	disk    Tree
	planned map[string][]byte            // what the plan makes of files that are there; nil for one that it deletes
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
		if !entry.Type().IsRegular() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		content, err := m.content(name)
		if err != nil {
			return "", err
		}
		for _, declared := range declarations(content) {
			found[declared] = name
		}
	}
	if m.folders == nil {
		m.folders = map[string]map[string]string{}
	}
	m.folders[dir] = found
	return found[method], nil
}

// content is what the file will be; nil when it goes.
func (m *methods) content(name string) ([]byte, error) {
	if content, changes := m.planned[name]; changes {
		return content, nil
	}
	file, err := m.disk.Read(name)
	if err != nil || file == nil {
		return nil, err
	}
	return file.Content, nil
}

// declarations lists the methods of a Go file as "Type.Method" and its functions by their names. A file with syntax errors
// gives those up to the error, one without content none.
func declarations(source []byte) []string {
	if source == nil { // to the parser that means a file on the disk
		return nil
	}
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

package merge

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// importsHere stands for the imports in a goFile's code.
const importsHere = "//trellis:imports\n\n"

// goFile is a Go file, its code without the imports, and these by the groups that blank lines make.
type goFile struct {
	goSource
	code   []byte
	groups [][]goImport
}

// splitGo parts a file from its imports. It fails where that would lose or tear something: a comment that belongs to no import, or
// goes on after it, code on a line with one, an import twice, or cgo.
func splitGo(text []byte) (goFile, bool) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.ParseComments)
	if err != nil || bytes.Contains(text, []byte(strings.TrimSpace(importsHere))) {
		return goFile{}, false
	}
	in := importReader{text: text, lines: fset.File(file.Pos()), file: file, decls: importDecls(file)}
	from, to := in.region()
	if !in.readable(from, to) {
		return goFile{}, false
	}
	out := goFile{goSource: goSource{uses: usesOf(file)}, groups: in.groups()}
	for _, i := range slices.Concat(out.groups...) {
		if out.has(i) {
			return goFile{}, false
		}
		out.imports = append(out.imports, i)
	}
	head, tail := bytes.TrimRight(text[:from], "\n"), bytes.TrimLeft(text[to:], "\n")
	out.code = slices.Concat(head, []byte("\n\n"+importsHere), tail)
	return out, true
}

// find is the group that has the import, or -1.
func find(groups [][]goImport, i goImport) int {
	return slices.IndexFunc(groups, func(group []goImport) bool { return slices.ContainsFunc(group, i.same) })
}

func importDecls(file *ast.File) []*ast.GenDecl {
	var decls []*ast.GenDecl
	for _, decl := range file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
			decls = append(decls, d)
		}
	}
	return decls
}

// importReader reads the imports of a parsed file.
type importReader struct {
	text  []byte
	lines *token.File
	file  *ast.File
	decls []*ast.GenDecl
}

func (r importReader) offset(p token.Pos) int { return r.lines.Offset(p) }

// line is a line of the text, whatever a comment //line says.
func (r importReader) line(p token.Pos) int { return r.lines.PositionFor(p, false).Line }

// region is where the import declarations are, in whole lines, or else where they would be.
func (r importReader) region() (from, to int) {
	if len(r.decls) == 0 {
		from = r.offset(r.file.Name.End())
		from += len(firstLine(r.text[from:]))
		return from, from
	}
	from = bytes.LastIndexByte(r.text[:r.offset(r.decls[0].TokPos)], '\n') + 1
	to = r.offset(r.decls[len(r.decls)-1].End())
	return from, to + len(firstLine(r.text[to:]))
}

// readable reports whether the region has nothing but imports with comments of their own, and nothing stands astride its ends.
func (r importReader) readable(from, to int) bool {
	if len(r.decls) == 0 {
		behind := bytes.TrimSpace(r.text[r.offset(r.file.Name.End()):from])
		return len(behind) == 0 || bytes.HasPrefix(behind, []byte("//"))
	}
	rest := bytes.Clone(r.text[from:to])
	blank := func(start, end token.Pos) {
		for i := max(r.offset(start), from); i < min(r.offset(end), to); i++ {
			rest[i-from] = ' '
		}
	}
	for _, spec := range r.file.Imports {
		start, end := extent(spec)
		blank(start, end)
		if r.offset(start) < from || r.offset(end) > to || newImport(spec, "").path == "C" {
			return false
		}
	}
	for _, d := range r.decls {
		if d.Doc != nil {
			return false
		}
		blank(d.TokPos, d.TokPos+token.Pos(len("import")))
		if d.Lparen.IsValid() {
			blank(d.Lparen, d.Lparen+1)
			blank(d.Rparen, d.Rparen+1)
		}
	}
	return len(bytes.TrimSpace(rest)) == 0
}

// extent is where an import is, with its comments.
func extent(spec *ast.ImportSpec) (start, end token.Pos) {
	start, end = spec.Pos(), spec.End()
	if spec.Doc != nil {
		start = spec.Doc.Pos()
	}
	if spec.Comment != nil {
		end = spec.Comment.End()
	}
	return start, end
}

func (r importReader) groups() [][]goImport {
	var groups [][]goImport
	last := 0
	for _, spec := range r.file.Imports {
		start, end := extent(spec)
		if line := r.line(start); groups == nil || line > last+1 {
			groups = append(groups, nil)
		}
		last = r.line(end)
		g := len(groups) - 1
		groups[g] = append(groups[g], newImport(spec, string(r.text[r.offset(start):r.offset(end)])))
	}
	return groups
}

func firstLine(text []byte) []byte {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i+1]
	}
	return text
}

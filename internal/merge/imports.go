package merge

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Go merges Go files as Text does, but for their imports: where the lines conflict there, or what comes of them does not hold
// together, they are merged as sets. What either side added is in, what either removed is out unless the merged code still uses it, and yours
// keep their groups. A file whose imports are not plain, or whose code conflicts too, is left to Text.
func Go(base, yours, theirs []byte, labels Labels) Result {
	asText := Text(base, yours, theirs, labels)
	if asText.Conflicts == 0 && importsSound(asText.Content, yours, theirs) {
		return asText
	}
	var sides [3]goFile
	for i, text := range [][]byte{base, yours, theirs} {
		side, ok := splitGo(Normalize(text))
		if !ok {
			return asText
		}
		sides[i] = side
	}
	code := Text(sides[0].code, sides[1].code, sides[2].code, labels)
	if code.Conflicts > 0 || bytes.Count(code.Content, []byte(importsHere)) != 1 {
		return asText
	}
	block, ok := mergeImports(code.Content, sides[0], sides[1], sides[2])
	if !ok {
		return asText
	}
	content := bytes.Replace(code.Content, []byte(importsHere), block, 1)
	if _, err := parser.ParseFile(token.NewFileSet(), "", content, parser.SkipObjectResolution); err != nil {
		return asText
	}
	return Result{Content: WithEndings(content, yours)}
}

// importsHere stands for the imports in a goFile's code.
const importsHere = "//trellis:imports\n\n"

// goFile is a Go file, its code without the imports, and these by the groups that blank lines make.
type goFile struct {
	text   []byte // with its imports
	code   []byte
	groups [][]goImport
}

// goImport is an import with its comments.
type goImport struct {
	name, path string // the name is empty where the file gives none
	text       string
}

func (i goImport) same(other goImport) bool { return i.name == other.name && i.path == other.path }

func (i goImport) standard() bool {
	first, _, _ := strings.Cut(i.path, "/")
	return !strings.Contains(first, ".")
}

func (f goFile) has(i goImport) bool { return find(f.groups, i) >= 0 }

// find is the group that has the import, or -1.
func find(groups [][]goImport, i goImport) int {
	return slices.IndexFunc(groups, func(group []goImport) bool { return slices.ContainsFunc(group, i.same) })
}

// importsSound reports whether merged text imports nothing twice, as when both sides added it in different places, and all that it
// uses and a side imports. Text that is no Go is not for this package to judge.
func importsSound(merged []byte, sides ...[]byte) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "", merged, 0)
	if err != nil {
		return true
	}
	var there []goImport
	for _, spec := range file.Imports {
		i := newImport(spec, "")
		if slices.ContainsFunc(there, i.same) {
			return false
		}
		there = append(there, i)
	}
	used := usedNames(file, sides...)
	for _, side := range sides {
		file, err := parser.ParseFile(token.NewFileSet(), "", side, parser.ImportsOnly)
		if err != nil {
			return true
		}
		for _, spec := range file.Imports {
			if i := newImport(spec, ""); !slices.ContainsFunc(there, i.same) && needed(i, used, there) {
				return false
			}
		}
	}
	return true
}

// usedNames are the names of packages that the file uses. What it does not declare itself may also stand in the package's other
// files: that is so for what a side uses without an import of that name.
func usedNames(file *ast.File, sides ...[]byte) map[string]bool {
	used := map[string]bool{}
	for _, ident := range file.Unresolved {
		used[ident.Name] = true
	}
	for _, text := range sides {
		side, err := parser.ParseFile(token.NewFileSet(), "", text, 0)
		if err != nil {
			continue
		}
		var imports []goImport
		for _, spec := range side.Imports {
			imports = append(imports, newImport(spec, ""))
		}
		for _, ident := range side.Unresolved {
			if !provided(imports, ident.Name) {
				delete(used, ident.Name)
			}
		}
	}
	return used
}

// needed reports whether a file that uses these names needs the import beside those that it has.
func needed(i goImport, used map[string]bool, there []goImport) bool {
	return slices.ContainsFunc(i.names(), func(name string) bool { return used[name] && !provided(there, name) })
}

func newImport(spec *ast.ImportSpec, text string) goImport {
	i := goImport{text: text}
	i.path, _ = strconv.Unquote(spec.Path.Value)
	if spec.Name != nil {
		i.name = spec.Name.Name
	}
	return i
}

// splitGo parts a file from its imports. It fails where that would lose something: a comment that belongs to no import, code
// on a line with one, or cgo.
func splitGo(text []byte) (goFile, bool) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.ImportsOnly|parser.ParseComments)
	if err != nil || bytes.Contains(text, []byte(strings.TrimSpace(importsHere))) {
		return goFile{}, false
	}
	in := importReader{text: text, lines: fset.File(file.Pos()), file: file}
	from := in.offset(file.Name.End())
	from += len(firstLine(text[from:]))
	to := from
	out := goFile{text: text}
	if len(file.Decls) > 0 {
		from, to = in.region()
		if !in.readable(from, to) {
			return goFile{}, false
		}
		out.groups = in.groups()
	}
	head, tail := bytes.TrimRight(text[:from], "\n"), bytes.TrimLeft(text[to:], "\n")
	out.code = slices.Concat(head, []byte("\n\n"+importsHere), tail)
	return out, true
}

// importReader reads the imports of a file that was parsed up to them.
type importReader struct {
	text  []byte
	lines *token.File
	file  *ast.File
}

func (r importReader) offset(p token.Pos) int { return r.lines.Offset(p) }

// region is where the import declarations are, in whole lines.
func (r importReader) region() (from, to int) {
	first, last := r.file.Decls[0], r.file.Decls[len(r.file.Decls)-1]
	from = bytes.LastIndexByte(r.text[:r.offset(first.Pos())], '\n') + 1
	to = r.offset(last.End())
	return from, to + len(firstLine(r.text[to:]))
}

// readable reports whether the region has nothing but imports with comments of their own.
func (r importReader) readable(from, to int) bool {
	rest := bytes.Clone(r.text[from:to])
	blank := func(start, end token.Pos) {
		for i := max(r.offset(start), from); i < min(r.offset(end), to); i++ {
			rest[i-from] = ' '
		}
	}
	for _, spec := range r.file.Imports {
		start, end := extent(spec)
		blank(start, end)
		if spec.Path.Value == `"C"` {
			return false
		}
	}
	for _, decl := range r.file.Decls {
		d := decl.(*ast.GenDecl)
		if d.Doc != nil && d.Lparen.IsValid() {
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
		if line := r.lines.Line(start); groups == nil || line > last+1 {
			groups = append(groups, nil)
		}
		last = r.lines.Line(end)
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

// mergeImports is the import declaration of the merged code. It fails where two imports claim one name.
func mergeImports(code []byte, base, yours, theirs goFile) ([]byte, bool) {
	file, err := parser.ParseFile(token.NewFileSet(), "", code, 0)
	if err != nil {
		return nil, false
	}
	used := usedNames(file, yours.text, theirs.text)
	var kept, doubtful []goImport
	all := slices.Concat(slices.Concat(yours.groups...), slices.Concat(theirs.groups...))
	for n, i := range all {
		switch {
		case slices.ContainsFunc(all[:n], i.same):
		case yours.has(i) && theirs.has(i), !base.has(i):
			kept = append(kept, i)
		default: // one side removed it
			doubtful = append(doubtful, i)
		}
	}
	for _, i := range doubtful {
		if needed(i, used, kept) {
			kept = append(kept, i)
		}
	}
	if !distinct(kept) {
		return nil, false
	}
	return importBlock(arrange(kept, yours.groups, theirs.groups))
}

// names are those that the file may know the package by: without a name in the import, only the package itself knows.
func (i goImport) names() []string {
	if i.name != "" {
		return []string{i.name}
	}
	last := path.Base(i.path)
	if majorVersion.MatchString(last) {
		last = path.Base(path.Dir(i.path))
	}
	last, _, _ = strings.Cut(last, ".")
	return append([]string{last}, strings.Split(last, "-")...)
}

var majorVersion = regexp.MustCompile(`^v\d+$`)

func provided(imports []goImport, name string) bool {
	return slices.ContainsFunc(imports, func(i goImport) bool { return slices.Contains(i.names(), name) })
}

func distinct(imports []goImport) bool {
	seen := map[string]bool{}
	for _, i := range imports {
		name := i.names()[0]
		if seen[name] && name != "_" && name != "." {
			return false
		}
		seen[name] = true
	}
	return true
}

// arrange puts the imports in the groups of yours, and those that only theirs has beside their neighbours there.
func arrange(imports []goImport, yours, theirs [][]goImport) [][]goImport {
	groups := make([][]goImport, len(yours))
	var added []goImport
	for _, i := range imports {
		if g := find(yours, i); g >= 0 {
			groups[g] = append(groups[g], i)
		} else {
			added = append(added, i)
		}
	}
	for _, i := range added {
		from := find(theirs, i)
		g := slices.IndexFunc(groups, func(group []goImport) bool {
			return slices.ContainsFunc(group, func(n goImport) bool {
				return n.standard() == i.standard() && (n.standard() || slices.ContainsFunc(theirs[from], n.same))
			})
		})
		if g < 0 {
			g = newGroup(groups, theirs[from+1:], i)
			groups = slices.Insert(groups, g, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return slices.DeleteFunc(groups, func(group []goImport) bool { return len(group) == 0 })
}

// newGroup is where a group for the import goes: before those that come after it in theirs.
func newGroup(groups, after [][]goImport, i goImport) int {
	if i.standard() {
		return 0
	}
	for g, group := range groups {
		if slices.ContainsFunc(group, func(n goImport) bool { return find(after, n) >= 0 }) {
			return g
		}
	}
	return len(groups)
}

func importBlock(groups [][]goImport) ([]byte, bool) {
	if len(groups) == 0 {
		return nil, true
	}
	const clause = "package p\n\n"
	var b strings.Builder
	b.WriteString(clause)
	if only := groups[0][0]; len(groups) == 1 && len(groups[0]) == 1 && !strings.HasPrefix(only.text, "/") {
		b.WriteString("import " + only.text + "\n")
	} else {
		b.WriteString("import (\n")
		for g, group := range groups {
			if g > 0 {
				b.WriteByte('\n')
			}
			for _, i := range group {
				b.WriteString(i.text + "\n")
			}
		}
		b.WriteString(")\n")
	}
	formatted, err := format.Source([]byte(b.String()))
	if err != nil {
		return nil, false
	}
	return append(bytes.TrimPrefix(formatted, []byte(clause)), '\n'), true
}

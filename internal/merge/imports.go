package merge

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Go merges Go files as Text does, but for their imports: where the lines conflict there, or what comes of them does not hold
// together, they are merged as sets. What either side added is in, what either removed is out unless the merged code still uses
// it, and yours keep their groups. What is in doubt is left to Text, since a conflict is better than wrong code: imports that are
// not plain, a comment that would be lost, a package whose name does not follow from how a side uses it, code that conflicts too.
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
	imports, ok := mergeImports(code.Content, sides[0], sides[1], sides[2])
	if !ok {
		return asText
	}
	content, ok := withImports(code.Content, arrange(imports, sides[1].groups, sides[2].groups))
	if merged, isGo := readGo(content); !ok || !isGo || !sameImports(merged.imports, imports) {
		return asText
	}
	return Result{Content: WithEndings(content, yours)}
}

// withImports writes the groups where the code has importsHere.
func withImports(code []byte, groups [][]goImport) ([]byte, bool) {
	block, ok := importBlock(groups)
	content := bytes.Replace(code, []byte(importsHere), block, 1)
	if bytes.HasSuffix(code, []byte(importsHere)) {
		content = append(bytes.TrimRight(content, "\n"), '\n')
	}
	return content, ok
}

func sameImports(a, b []goImport) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(i goImport) bool { return !slices.ContainsFunc(b, i.same) })
}

// importsSound reports whether merged text imports nothing twice, as when both sides added it in different places, and all that it
// uses and a side imports. Text that is no Go is not for this package to judge.
func importsSound(merged []byte, sides ...[]byte) bool {
	all, isGo := readGo(merged)
	if !isGo {
		return true
	}
	for n, i := range all.imports {
		if slices.ContainsFunc(all.imports[:n], i.same) {
			return false
		}
	}
	var sources []goSource
	for _, text := range sides {
		source, isGo := readGo(text)
		if !isGo {
			return true
		}
		sources = append(sources, source)
	}
	// Where a side uses the name without an import, the package has it in another file.
	elsewhere := func(name string) bool {
		return slices.ContainsFunc(sources, func(s goSource) bool { return len(s.uses[name]) > 0 && !s.mayProvide(name) })
	}
	for _, s := range sources {
		for _, i := range s.imports {
			name := s.nameOf(i)
			if name != "" && len(all.uses[name]) > 0 && !all.mayProvide(name) && !elsewhere(name) {
				return false
			}
		}
	}
	return true
}

// mergeImports are the imports of the merged code. It fails where it is not sure of one.
func mergeImports(code []byte, base, yours, theirs goFile) ([]goImport, bool) {
	merged, isGo := readGo(code)
	if !isGo {
		return nil, false
	}
	var kept []goImport
	for _, i := range yours.imports {
		in, sure := true, true
		if other, both := theirs.get(i); both {
			i, sure = mergeComments(base, i, other)
		} else if base.has(i) {
			in, sure = stays(i, merged, base, yours, theirs)
		}
		if !sure {
			return nil, false
		}
		if in {
			kept = append(kept, i)
		}
	}
	for _, i := range theirs.imports {
		if yours.has(i) {
			continue
		}
		in, sure := true, true
		if base.has(i) {
			in, sure = stays(i, merged, base, theirs, yours)
		}
		if !sure {
			return nil, false
		}
		if in {
			kept = append(kept, i)
		}
	}
	return kept, distinct(kept, yours, theirs)
}

// mergeComments takes an import that both sides have from the one that changed its comments. It fails if both did.
func mergeComments(base goFile, yours, theirs goImport) (goImport, bool) {
	before, known := base.get(yours)
	if !known {
		before = yours.bare()
	}
	switch {
	case yours.reads(theirs), theirs.reads(before):
		return yours, true
	case yours.reads(before):
		return theirs, true
	}
	return goImport{}, false
}

// stays reports whether the merged code needs an import that one side lacks and the other has, as the base did, and whether that
// is sure.
func stays(i goImport, merged goSource, base, has, lacks goFile) (stays, sure bool) {
	before, _ := base.get(i)
	plain := i.reads(before) // or else its comment, which the lacking side never saw, would go with it
	if bytes.Equal(has.code, base.code) {
		return false, plain // the merged code is that of the side without it
	}
	name := has.nameOf(i)
	if name == "" {
		return false, false
	}
	another := func(o goImport) bool { return o.path == i.path && lacks.nameOf(o) == name }
	switch {
	case slices.ContainsFunc(lacks.imports, another):
		return false, plain
	case len(merged.uses[name]) > 0 && len(lacks.uses[name]) == 0:
		return true, true
	}
	// The name means something else in the side without it, or is used no more. What the other side wrote anew would mean that too.
	return false, plain && within(has.uses[name], base.uses[name])
}

// distinct reports whether no two imports may claim one name.
func distinct(imports []goImport, sides ...goFile) bool {
	names := func(i goImport) []string {
		all := i.names()
		for _, s := range sides {
			if !s.has(i) || len(all) == 0 {
				continue
			}
			if name := s.nameOf(i); name != "" {
				return []string{name}
			}
			all = append(all, s.unexplained()...)
		}
		return all
	}
	for n, i := range imports {
		for _, o := range imports[:n] {
			if slices.ContainsFunc(sides, func(s goFile) bool { return s.has(i) && s.has(o) }) {
				continue
			}
			again := i.path == o.path && (i.name == "" || o.name == "")
			if again || slices.ContainsFunc(names(i), func(name string) bool { return slices.Contains(names(o), name) }) {
				return false
			}
		}
	}
	return true
}

// within reports whether all of a, which is sorted as b is, is in b, as often as it is in a.
func within(a, b []string) bool {
	for _, s := range b {
		if len(a) > 0 && a[0] == s {
			a = a[1:]
		}
	}
	return len(a) == 0
}

// bare is the import without comments.
func (i goImport) bare() goImport {
	i.text = strings.TrimSpace(i.name + " " + strconv.Quote(i.path))
	return i
}

// reads reports whether two imports have the same text and comments.
func (i goImport) reads(other goImport) bool {
	return slices.Equal(strings.Fields(i.text), strings.Fields(other.text))
}

package merge

import (
	"bytes"
	"go/format"
	"slices"
	"strings"
)

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

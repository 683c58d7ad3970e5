package merge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/test/soak"
)

// An importUse is one way in which some code needs an import.
type importUse struct {
	spec, code string
}

// importUses are the ways for all packages, of which some have another name than their paths.
var importUses = func() []importUse {
	var all []importUse
	for i, p := range [][2]string{
		{"p", "p"}, {"example.com/core/v1", "v1"}, {"example.com/x/v2", "x"}, {"gopkg.in/yaml.v3", "yaml"},
		{"example.com/go-bar", "bar"}, {"example.com/odd", "strange"}, {"q/strange", "strange"}, {"q/bar", "bar"},
	} {
		quoted := fmt.Sprintf("%q", p[0])
		all = append(all,
			importUse{quoted, fmt.Sprintf("%s.P%d", p[1], i)},
			importUse{fmt.Sprintf("a%d %s", i, quoted), fmt.Sprintf("a%d.P%d", i, i)},
			importUse{". " + quoted, fmt.Sprintf("Dot%d", i)},
			importUse{"_ " + quoted, fmt.Sprintf("0 //go:use%d", i)},
		)
	}
	return all
}()

// Nothing that Go merges without a conflict lacks an import that it uses, or a comment that a side wrote; and nothing in it could
// mean another package than it did on its side.
func TestGoMergesNoImportWrongly(t *testing.T) {
	rng := soak.Rand(t)
	merged := 0
	for range 10000 {
		top, bottom := randomUses(rng, nil), randomUses(rng, nil)
		newTop, newBottom := randomUses(rng, top), randomUses(rng, bottom)
		notes := map[string]string{}
		base, ok1 := usingFile(rng, top, bottom, "base", notes, 8)
		yours, ok2 := usingFile(rng, newTop, bottom, "yours", notes, 20)
		theirs, ok3 := usingFile(rng, top, newBottom, "theirs", notes, 20)
		if !ok1 || !ok2 || !ok3 || Text([]byte(base), []byte(yours), []byte(theirs), labels).Conflicts == 0 {
			continue
		}
		got := Go([]byte(base), []byte(yours), []byte(theirs), labels)
		if got.Conflicts > 0 {
			continue
		}
		merged++
		fail := func(format string, args ...any) {
			t.Fatalf("%s in\n%s\nof\n%s\n%s\n%s", fmt.Sprintf(format, args...), got.Content, base, yours, theirs)
		}
		lines := strings.Split(string(got.Content), "\n")
		imported := func(spec string) bool {
			return slices.ContainsFunc(lines, func(line string) bool {
				line, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "import "), " //")
				return strings.TrimSpace(line) == spec
			})
		}
		names := map[string]string{}
		for _, n := range slices.Concat(newTop, newBottom) {
			use := importUses[n]
			if !imported(use.spec) {
				fail("%s is lost", use.spec)
			}
			if name, _, found := strings.Cut(use.code, "."); found && names[name] != "" && names[name] != use.spec {
				fail("%s is two packages", name)
			} else if found {
				names[name] = use.spec
			}
		}
		for _, side := range []string{yours, theirs} {
			for line := range strings.Lines(side) {
				_, comment, found := strings.Cut(line, "// note")
				if found && !strings.Contains(base, "// note"+comment) && !strings.Contains(string(got.Content), "// note"+comment) {
					fail("%q is lost", comment)
				}
			}
		}
	}
	if merged < 500 {
		t.Errorf("only %d merges needed the imports as sets: the test tests too little", merged)
	}
}

// randomUses adds some uses to others and removes some.
func randomUses(rng *rand.Rand, from []int) []int {
	var out []int
	for n := range importUses {
		if slices.Contains(from, n) != (rng.IntN(12) == 0) {
			out = append(out, n)
		}
	}
	return out
}

// usingFile is a file with two places that use imports, or none when it would not compile. New notes on imports are as rare as one
// in so many.
func usingFile(rng *rand.Rand, top, bottom []int, author string, notes map[string]string, rarity int) (string, bool) {
	all := slices.Concat(top, bottom)
	slices.Sort(all)
	all = slices.Compact(all)
	var b strings.Builder
	b.WriteString("package p\n\n")
	if len(all) > 0 {
		b.WriteString("import (\n")
	}
	names := map[string]bool{}
	for _, n := range all {
		use := importUses[n]
		if name, _, found := strings.Cut(use.code, "."); found && names[name] {
			return "", false
		} else if found {
			names[name] = true
		}
		if n%4 == 3 && slices.Contains(all, n-3) { // a blank import of what is imported by name
			return "", false
		}
		note := notes[use.spec]
		if rng.IntN(rarity) == 0 {
			note = fmt.Sprintf("// note %d of %s", rng.IntN(1000000), author)
			if author == "base" {
				notes[use.spec] = note
			}
		}
		switch {
		case note == "":
			fmt.Fprintf(&b, "\t%s\n", use.spec)
		case n%2 == 0:
			fmt.Fprintf(&b, "\t%s\n\t%s\n", note, use.spec)
		default:
			fmt.Fprintf(&b, "\t%s %s\n", use.spec, note)
		}
	}
	if len(all) > 0 {
		b.WriteString(")\n\n")
	}
	for i, n := range top {
		fmt.Fprintf(&b, "var top%d = %s\n\n", i, importUses[n].code)
	}
	b.WriteString("var mid1 int\n\nvar mid2 int\n\n")
	for i, n := range bottom {
		fmt.Fprintf(&b, "var bottom%d = %s\n\n", i, importUses[n].code)
	}
	return b.String(), true
}

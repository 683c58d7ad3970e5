package merge

import (
	"fmt"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/test/soak"
)

const usesNone = "\nvar done = true\n"

func TestGo(t *testing.T) {
	tests := []struct {
		name                string
		base, yours, theirs string // without the package clause
		want                string
	}{
		{
			"both add one at the same place",
			"import (\n\t\"context\"\n)\n\nvar a = context.TODO\n",
			"import (\n\t\"context\"\n\t\"fmt\"\n)\n\nvar a = context.TODO\n\nvar f = fmt.Sprint\n",
			"import (\n\t\"context\"\n\t\"time\"\n)\n\nvar a = context.TODO\n",
			"import (\n\t\"context\"\n\t\"fmt\"\n\t\"time\"\n)\n\nvar a = context.TODO\n\nvar f = fmt.Sprint\n",
		},
		{
			"both add the same at different places",
			"import (\n\t\"context\"\n\t\"os\"\n\t\"sync\"\n\t\"testing\"\n)\n" + usesNone,
			"import (\n\t\"time\"\n\t\"context\"\n\t\"os\"\n\t\"sync\"\n\t\"testing\"\n)\n" + usesNone,
			"import (\n\t\"context\"\n\t\"os\"\n\t\"sync\"\n\t\"testing\"\n\t\"time\"\n)\n" + usesNone,
			"import (\n\t\"context\"\n\t\"os\"\n\t\"sync\"\n\t\"testing\"\n\t\"time\"\n)\n" + usesNone,
		},
		{
			"a single import and a block",
			"import \"context\"\n" + usesNone,
			"import \"os\"\n" + usesNone,
			"import (\n\t\"context\"\n\n\t\"example.com/shop/chassis\"\n)\n" + usesNone,
			"import (\n\t\"os\"\n\n\t\"example.com/shop/chassis\"\n)\n" + usesNone,
		},
		{
			"no imports in the beginning",
			usesNone, "import \"os\"\n" + usesNone, "import \"time\"\n" + usesNone,
			"import (\n\t\"os\"\n\t\"time\"\n)\n" + usesNone,
		},
		{
			"groups stay, and a new one goes where theirs has it",
			"import (\n\t\"context\"\n\n\t\"example.com/shop/api\"\n)\n" + usesNone,
			"import (\n\t\"context\"\n\t\"fmt\" // for now\n\n\t\"example.com/shop/api\"\n\t\"example.com/shop/mine\"\n)\n" + usesNone,
			"import (\n\t\"context\"\n\t\"time\"\n\n\t\"github.com/google/uuid\"\n\n\t\"example.com/shop/api\"\n\t\"example.com/shop/event\"\n)\n" + usesNone,
			"import (\n\t\"context\"\n\t\"fmt\" // for now\n\t\"time\"\n\n\t\"github.com/google/uuid\"\n\n" +
				"\t\"example.com/shop/api\"\n\t\"example.com/shop/event\"\n\t\"example.com/shop/mine\"\n)\n" + usesNone,
		},
		{
			"what theirs removed and yours still uses",
			"import (\n\t\"errors\"\n\t\"fmt\"\n)\n\nvar a = fmt.Sprint(errors.New)\n\nvar mid int\n",
			"import (\n\t\"errors\"\n\t\"fmt\"\n\t\"os\"\n)\n\nvar a = fmt.Sprint(errors.New)\n\nvar mid int\n\nvar b, c = fmt.Sprintln, os.Exit\n",
			"import (\n\t\"context\"\n)\n\nvar a = context.TODO\n\nvar mid int\n",
			"import (\n\t\"context\"\n\t\"fmt\"\n\t\"os\"\n)\n\nvar a = context.TODO\n\nvar mid int\n\nvar b, c = fmt.Sprintln, os.Exit\n",
		},
		{
			"what yours replaced by a name of the package's own",
			"import (\n\t\"errors\"\n\t\"net/url\"\n)\n\nvar a url.URL\n\nvar mid int\n\nvar e = errors.New\n",
			"import (\n\t\"errors\"\n)\n\nvar a url\n\nvar mid int\n\nvar e = errors.New\n",
			"import (\n\t\"errors\"\n\t\"net/url\"\n\t\"os\"\n)\n\nvar a url.URL\n\nvar mid int\n\nvar e = errors.New\n\nvar c = os.Exit\n",
			"import (\n\t\"errors\"\n\t\"os\"\n)\n\nvar a url\n\nvar mid int\n\nvar e = errors.New\n\nvar c = os.Exit\n",
		},
		{
			"what theirs removed of a package named like a version",
			"import (\n\t\"example.com/core/v1\"\n)\n\nvar a v1.Pod\n\nvar mid int\n\nvar b int\n",
			"import (\n\t\"example.com/core/v1\"\n\t\"os\"\n)\n\nvar a v1.Pod\n\nvar mid int\n\nvar b = v1.New(os.Exit)\n",
			"import (\n\t\"io\"\n)\n\nvar a io.Reader\n\nvar mid int\n\nvar b int\n",
			"import (\n\t\"example.com/core/v1\"\n\t\"io\"\n\t\"os\"\n)\n\nvar a io.Reader\n\nvar mid int\n\nvar b = v1.New(os.Exit)\n",
		},
		{
			"comments of one side each",
			"import (\n\t\"a\"\n\t\"b\"\n)\n" + usesNone,
			"import (\n\t\"a\"\n\t\"b\" // yours\n\t\"c\"\n)\n" + usesNone,
			"import (\n\t// Theirs.\n\t\"a\"\n\t\"b\"\n\t\"c\" // theirs\n)\n" + usesNone,
			"import (\n\t// Theirs.\n\t\"a\"\n\t\"b\" // yours\n\t\"c\" // theirs\n)\n" + usesNone,
		},
		{
			"a directive right behind the last import",
			"import \"a\"\n//go:generate x\n" + usesNone,
			"import \"b\"\n//go:generate x\n" + usesNone,
			"import \"c\"\n//go:generate x\n" + usesNone,
			"import (\n\t\"b\"\n\t\"c\"\n)\n\n//go:generate x\n" + usesNone,
		},
		{
			"a package taken for another of its name",
			"import (\n\t\"text/template\"\n)\n\nvar a template.Template\n",
			"import (\n\t\"html/template\"\n)\n\nvar a template.Template\n",
			"import (\n\t\"io\"\n\t\"text/template\"\n)\n\nvar a template.Template\n",
			"import (\n\t\"html/template\"\n\t\"io\"\n)\n\nvar a template.Template\n",
		},
	}
	const clause = "// Package p is p.\npackage p\n\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := func(text string) []byte { return []byte(clause + strings.TrimPrefix(text, "\n")) }
			got := Go(file(tt.base), file(tt.yours), file(tt.theirs), labels)
			if diff := cmp.Diff(string(file(tt.want)), string(got.Content)); diff != "" || got.Conflicts > 0 {
				t.Errorf("%d conflicts, content (-want +got):\n%s", got.Conflicts, diff)
			}
			windows := func(text []byte) []byte { return []byte(strings.ReplaceAll(string(text), "\n", "\r\n")) }
			got = Go(file(tt.base), windows(file(tt.yours)), file(tt.theirs), labels)
			if diff := cmp.Diff(string(windows(file(tt.want))), string(got.Content)); diff != "" {
				t.Errorf("with the line endings of Windows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGoLeavesToTextWhatItWouldLose(t *testing.T) {
	const clause = "package p\n\n"
	tests := []struct{ name, base, yours, theirs string }{
		{"a comment of no import", "import \"a\"\n" + usesNone, "import (\n\t\"b\"\n\n\t// The end.\n)\n" + usesNone, "import \"c\"\n" + usesNone},
		{"cgo", "import \"a\"\n" + usesNone, "// #include <math.h>\nimport \"C\"\n" + usesNone, "import \"c\"\n" + usesNone},
		{"code on the line", "import \"a\"\n" + usesNone, "import \"b\"; var x = 1\n" + usesNone, "import \"c\"\n" + usesNone},
		{"code that conflicts too", "import \"a\"\n\nvar x = 1\n", "import \"b\"\n\nvar x = 2\n", "import \"c\"\n\nvar x = 3\n"},
		{"two packages of one name", "import \"a\"\n" + usesNone, "import \"b/x\"\n" + usesNone, "import \"c/x\"\n" + usesNone},
		{"cgo in a raw string", "import \"a\"\n" + usesNone, "import `C`\n" + usesNone, "import \"c\"\n" + usesNone},
		{"a comment on the first import", "import \"a\"\n" + usesNone, "//nolint:depguard // mine\nimport \"b\"\n" + usesNone, "import \"c\"\n" + usesNone},
		{"a comment that goes on after the imports", "import \"a\"\n" + usesNone, "import \"b\" /* x\n// */\n" + usesNone, "import \"c\"\n" + usesNone},
		{
			"a comment above what theirs removed",
			"import (\n\t\"a\"\n\t\"b\"\n)\n\nvar x = a.X\n", "import (\n\t// Mine.\n\t\"a\"\n\t\"b\"\n)\n\nvar x = a.X\n",
			"import (\n\t\"b\"\n\t\"c\"\n)\n\nvar x = c.X\n",
		},
		{
			"a comment behind what theirs removed, and code",
			"import (\n\t\"a\"\n)\n\nvar x = a.X\n" + usesNone, "import (\n\t\"a\" // mine\n)\n\nvar x = a.X\n" + usesNone + "\nvar y = 1\n",
			"import (\n\t\"c\"\n)\n\nvar x = c.X\n" + usesNone,
		},
		{
			"two comments on one import",
			"import \"a\"\n" + usesNone, "import (\n\t\"a\" // mine\n)\n" + usesNone, "import (\n\t\"a\" // theirs\n)\n" + usesNone,
		},
		{
			"two comments on one new import",
			"import \"a\"\n" + usesNone, "import (\n\t\"b\" // mine\n)\n" + usesNone, "import (\n\t// Theirs.\n\t\"b\"\n)\n" + usesNone,
		},
		{
			"a blank import that theirs removed, and code",
			"import (\n\t_ \"embed\"\n)\n\nvar x = 1\n" + usesNone, "import (\n\t_ \"embed\"\n\t\"a\"\n)\n\nvar x = 1\n" + usesNone + "\n//go:embed y\nvar y = a.X\n",
			"import (\n\t\"c\"\n)\n\nvar x = c.X\n" + usesNone,
		},
		{
			"a dot import that theirs removed, and code",
			"import (\n\t. \"dsl\"\n)\n\nvar x = Thing\n" + usesNone, "import (\n\t. \"dsl\"\n\t\"a\"\n)\n\nvar x = Thing\n" + usesNone + "\nvar y = Other(a.X)\n",
			"import (\n\t\"c\"\n)\n\nvar x = c.X\n" + usesNone,
		},
		{
			"a package of another name than its path that theirs removed, and code",
			"import (\n\t\"example.com/odd\"\n)\n\nvar x = strange.X\n" + usesNone,
			"import (\n\t\"a\"\n\t\"example.com/odd\"\n)\n\nvar x = strange.X\n" + usesNone + "\nvar y = strange.Y(a.X)\n",
			"import (\n\t\"c\"\n)\n\nvar x = c.X\n" + usesNone,
		},
		{
			"a package by its name and by another",
			"import (\n\t\"a\"\n)\n\nvar x = a.X\n", "import (\n\t\"a\"\n\tbar \"example.com/go-bar\"\n)\n\nvar x = a.X\n\nvar y = bar.Y\n",
			"import (\n\t\"a\"\n\t\"example.com/go-bar\"\n)\n\nvar x = a.X\n",
		},
		{
			"two packages that a file may know by one name",
			"import \"a\"\n" + usesNone, "import \"example.com/go-x\"\n" + usesNone, "import \"example.com/x\"\n" + usesNone,
		},
		{
			"a package in theirs, and something else of its name in yours",
			"import (\n\t\"log\"\n)\n\nvar x = log.X\n" + usesNone, "import (\n\t\"a\"\n)\n\nvar x = log(a.X)\n" + usesNone,
			"import (\n\t\"c\"\n\t\"log\"\n)\n\nvar x = log.X\n" + usesNone + "\nvar y = log.Y(c.X)\n",
		},
		{"no Go", "import \"a\"\n" + usesNone, "import b\n" + usesNone, "import \"c\"\n" + usesNone},
		{"no whole Go", "import \"a\"\n" + usesNone, "import \"b\"\n" + usesNone + "\nfunc (\n", "import \"c\"\n" + usesNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, yours, theirs := []byte(clause+tt.base), []byte(clause+tt.yours), []byte(clause+tt.theirs)
			want := Text(base, yours, theirs, labels)
			if diff := cmp.Diff(want, Go(base, yours, theirs, labels)); diff != "" || want.Conflicts == 0 {
				t.Errorf("%d conflicts (-text +go):\n%s", want.Conflicts, diff)
			}
		})
	}
}

func TestGoLeavesTornCommentsToText(t *testing.T) {
	const clause = "package p /* a\nb */\n"
	base, yours, theirs := []byte(clause+"\nimport \"a\"\n"+usesNone), []byte(clause+usesNone), []byte(clause+"\nimport \"c\"\n"+usesNone)
	want := Text(base, yours, theirs, labels)
	if diff := cmp.Diff(want, Go(base, yours, theirs, labels)); diff != "" || want.Conflicts == 0 {
		t.Errorf("%d conflicts (-text +go):\n%s", want.Conflicts, diff)
	}
}

// Each side has its own place in the file where it uses what it imports, so that only the imports can conflict.
func TestGoLosesNoImport(t *testing.T) {
	rng := soak.Rand(t)
	merged := 0
	for range 3000 {
		top, bottom := randomImports(rng, nil), randomImports(rng, nil)
		newTop, newBottom := randomImports(rng, top), randomImports(rng, bottom)
		file := func(top, bottom []string) []byte {
			all := slices.Concat(top, bottom)
			slices.Sort(all)
			return []byte("package p\n\n" + importsText(rng, slices.Compact(all)) + "\n" + uses("top", top) + "\nvar mid1 int\n\nvar mid2 int\n\n" + uses("bottom", bottom))
		}
		b, y, z := file(top, bottom), file(newTop, bottom), file(top, newBottom)
		got := Go(b, y, z, labels)
		if got.Conflicts > 0 {
			t.Fatalf("%d conflicts in\n%s\nof\n%s\n%s\n%s", got.Conflicts, got.Content, b, y, z)
		}
		if Text(b, y, z, labels).Conflicts > 0 {
			merged++
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), "", got.Content, 0)
		if err != nil {
			t.Fatalf("%v in\n%s\nof\n%s\n%s\n%s", err, got.Content, b, y, z)
		}
		seen := map[string]bool{}
		for _, spec := range parsed.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			if seen[name] {
				t.Fatalf("%s twice in\n%s", name, got.Content)
			}
			seen[name] = true
		}
		for _, name := range slices.Concat(newTop, newBottom) { // what a side added, and what is still used
			if !seen[name] {
				t.Fatalf("%s is lost in\n%s\nof\n%s\n%s\n%s", name, got.Content, b, y, z)
			}
		}
	}
	if merged < 300 {
		t.Errorf("only %d merges needed the imports as sets: the test tests too little", merged)
	}
}

// randomImports adds some imports to others and removes some.
func randomImports(rng *rand.Rand, from []string) []string {
	var out []string
	for i := range 12 {
		name := []string{"p%d", "github.com/some/p%d", "example.com/shop/p%d"}[i%3]
		name = fmt.Sprintf(name, i)
		if slices.Contains(from, name) != (rng.IntN(4) == 0) {
			out = append(out, name)
		}
	}
	return out
}

// importsText writes a declaration in one of the ways that people do.
func importsText(rng *rand.Rand, imports []string) string {
	if len(imports) == 0 {
		return ""
	}
	var b strings.Builder
	if rng.IntN(5) == 0 {
		for _, name := range imports {
			fmt.Fprintf(&b, "import %q\n", name)
		}
		return b.String()
	}
	b.WriteString("import (\n")
	grouped := rng.IntN(2) == 0
	for kind := range 3 {
		for _, name := range imports {
			if [3]bool{!strings.Contains(name, "."), strings.HasPrefix(name, "github.com/"), strings.HasPrefix(name, "example.com/")}[kind] {
				fmt.Fprintf(&b, "\t%q\n", name)
			}
		}
		if grouped {
			b.WriteByte('\n')
		}
	}
	b.WriteString(")\n")
	return b.String()
}

func uses(prefix string, imports []string) string {
	var b strings.Builder
	for i, name := range imports {
		fmt.Fprintf(&b, "var %s%d = %s.X\n\n", prefix, i, name[strings.LastIndex(name, "/")+1:])
	}
	return b.String()
}

func FuzzGo(f *testing.F) {
	f.Add("package p\n", "package p\n\nimport \"a\"\n", "package p\n\nimport \"b\"\n")
	f.Add("package p\n\nimport (\n\t\"a\"\n)\n", "package p // p\n\nimport (\n\t// A.\n\tx \"a\" // a\n\n\t_ \"b\"\n)\n", "package p\r\n\r\nimport \"c\";\r\n")
	f.Add("package p; import \"a\"", "package p\nimport \"b\"\nvar x = b.X", "package p\nimport (\"c\"; \"d\")\n")
	f.Fuzz(func(t *testing.T, base, yours, theirs string) {
		text := Text([]byte(base), []byte(yours), []byte(theirs), labels)
		got := Go([]byte(base), []byte(yours), []byte(theirs), labels)
		if text.Conflicts > 0 && got.Conflicts == 0 {
			if _, err := parser.ParseFile(token.NewFileSet(), "", got.Content, 0); err != nil {
				t.Errorf("%q, %q, %q: %q: %v", base, yours, theirs, got.Content, err)
			}
		}
		if base == theirs && plain(string(got.Content)) != plain(yours) && importsSound([]byte(yours)) {
			t.Errorf("theirs changed nothing, yet yours %q became %q", yours, got.Content)
		}
	})
}

package merge

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/test/soak"
)

var labels = Labels{Yours: "yours", Theirs: "scaffold v2"}

func TestText(t *testing.T) {
	tests := []struct {
		name                string
		base, yours, theirs string
		want                string
		conflicts           int
	}{
		{"nobody changed anything", "a\nb\n", "a\nb\n", "a\nb\n", "a\nb\n", 0},
		{"all empty", "", "", "", "", 0},
		{"both sides change different places", "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "A\nb\nC\n", 0},
		{"both sides make the same change", "a\nb\nc\n", "a\nX\nc\n", "a\nX\nc\n", "a\nX\nc\n", 0},
		{"yours removes, theirs adds elsewhere", "a\nb\nc\n", "b\nc\n", "a\nb\nc\nd\n", "b\nc\nd\n", 0},
		{"yours empties the file", "a\nb\n", "", "a\nb\n", "", 0},
		{
			"both sides change one line", "a\nb\nc\n", "a\nyour b\nc\n", "a\ntheir b\nc\n",
			"a\n<<<<<<< yours\nyour b\n=======\ntheir b\n>>>>>>> scaffold v2\nc\n", 1,
		},
		{
			"edits that touch are a conflict", "a\nb\n", "A\nb\n", "a\nB\n",
			"<<<<<<< yours\nA\nb\n=======\na\nB\n>>>>>>> scaffold v2\n", 1,
		},
		{
			"yours removes what theirs changes", "a\nb\nc\n", "a\nc\n", "a\nB\nc\n",
			"a\n<<<<<<< yours\n=======\nB\n>>>>>>> scaffold v2\nc\n", 1,
		},
		{
			"markers stand only around what differs", "a\nz\n", "a\nsame\nmine\nsame too\nz\n", "a\nsame\nhers\nsame too\nz\n",
			"a\nsame\n<<<<<<< yours\nmine\n=======\nhers\n>>>>>>> scaffold v2\nsame too\nz\n", 1,
		},
		{"no final newline anywhere", "a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC", 0},
		{"yours loses the final newline", "a\nb\n", "a\nb", "z\na\nb\n", "z\na\nb", 0},
		{"theirs appends to a last line without newline", "a", "a", "a\nb\n", "a\nb\n", 0},
		{
			"yours loses the final newline and theirs appends: no lines are glued", "a\nb\n", "a\nb", "a\nb\nc\n",
			"a\nb\nc", 0,
		},
		{
			"a conflict at the end without newline", "a", "b", "c",
			"<<<<<<< yours\nb\n=======\nc\n>>>>>>> scaffold v2\n", 1,
		},
		{"line endings of yours win", "a\nb\nc\n", "A\r\nb\r\nc\r\n", "a\nb\nC\nd\n", "A\r\nb\r\nC\r\nd\r\n", 0},
		{"converted line endings alone are no edit", "a\nb\n", "a\r\nb\r\n", "a\nB\n", "a\r\nB\r\n", 0},
		{"a mixed file keeps its mixture", "a\nb\nc\nd\n", "a\r\nb\r\nc\nd\r\n", "a\nb\nc\nD\n", "a\r\nb\r\nc\nD\r\n", 0},
		{
			"markers have the line endings of yours", "a\n", "b\r\n", "c\n",
			"<<<<<<< yours\r\nb\r\n=======\r\nc\r\n>>>>>>> scaffold v2\r\n", 1,
		},
		{"non-ASCII text", "é\nβ\n語\n", "É\nβ\n語\n", "é\nβ\n言\n", "É\nβ\n言\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Text([]byte(tt.base), []byte(tt.yours), []byte(tt.theirs), labels)
			if diff := cmp.Diff(tt.want, string(got.Content)); diff != "" {
				t.Errorf("content (-want +got):\n%s", diff)
			}
			if got.Conflicts != tt.conflicts {
				t.Errorf("%d conflicts, want %d", got.Conflicts, tt.conflicts)
			}
		})
	}
}

func TestTwoWayMarksEveryDifference(t *testing.T) {
	yours := "head\nmine\n1\n2\n3\n4\ntail\n"
	theirs := "head\n1\n2\n3\n4\nhers\ntail\n"
	got := TwoWay([]byte(yours), []byte(theirs), labels)
	want := "head\n<<<<<<< yours\nmine\n=======\n>>>>>>> scaffold v2\n1\n2\n3\n4\n" +
		"<<<<<<< yours\n=======\nhers\n>>>>>>> scaffold v2\ntail\n"
	if diff := cmp.Diff(want, string(got.Content)); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if got.Conflicts != 2 {
		t.Errorf("%d conflicts, want 2", got.Conflicts)
	}
}

func TestHasMarkers(t *testing.T) {
	conflict := Text([]byte("a\n"), []byte("b\r\n"), []byte("c\n"), labels).Content
	tests := []struct {
		name string
		text string
		want bool
	}{
		{"a fresh conflict", string(conflict), true},
		{"a conflict of another version", "<<<<<<< yours\n=======\n>>>>>>> scaffold v1\n", true},
		{"git's own", "<<<<<<< HEAD\n=======\n>>>>>>> topic\n", false},
		{"an underlined title", "yours\n=======\n", false},
		{"half resolved", "<<<<<<< yours\nx\n", false},
		{"one of two resolved by half", "<<<<<<< yours\n=======\n>>>>>>> scaffold v1\n<<<<<<< yours\nx\n", true},
		{"indented, as in a document", "  <<<<<<< yours\n  =======\n  >>>>>>> scaffold v1\n", false},
	}
	for _, tt := range tests {
		if got := HasMarkers([]byte(tt.text), Labels{Yours: "yours", Theirs: "scaffold"}); got != tt.want {
			t.Errorf("%s: HasMarkers = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestTextOfUnchangedSideTakesTheOther(t *testing.T) {
	rng := soak.Rand(t)
	for range 5000 {
		b, x := randomText(rng), randomText(rng)
		for _, sides := range [][2]string{{b, x}, {x, b}, {x, x}} {
			got := Text([]byte(b), []byte(sides[0]), []byte(sides[1]), labels)
			if string(got.Content) != x || got.Conflicts != 0 {
				t.Fatalf("Text(%q, %q, %q) = %q with %d conflicts, want %q", b, sides[0], sides[1], got.Content, got.Conflicts, x)
			}
		}
	}
}

func TestTextIsSymmetric(t *testing.T) {
	rng := soak.Rand(t)
	for range 5000 {
		b, y, z := randomText(rng), randomText(rng), randomText(rng)
		one := Text([]byte(b), []byte(y), []byte(z), labels)
		other := Text([]byte(b), []byte(z), []byte(y), labels)
		if (one.Conflicts == 0) != (other.Conflicts == 0) {
			t.Fatalf("%q, %q, %q: %d conflicts one way, %d the other", b, y, z, one.Conflicts, other.Conflicts)
		}
		if one.Conflicts == 0 && !bytes.Equal(one.Content, other.Content) {
			t.Fatalf("%q, %q, %q: %q one way, %q the other", b, y, z, one.Content, other.Content)
		}
	}
}

func TestResolvingForOneSideLosesNothingOfIt(t *testing.T) {
	rng := soak.Rand(t)
	for range 5000 {
		b, y, z := randomText(rng), randomText(rng), randomText(rng)
		got := Text([]byte(b), []byte(y), []byte(z), labels)
		for _, l := range strings.Split(strings.TrimSuffix(y, "\n"), "\n") {
			if l != "" && !strings.Contains(b, l) && !strings.Contains(string(got.Content), l) {
				t.Fatalf("%q, %q, %q: the line %q of yours is lost in %q", b, y, z, l, got.Content)
			}
		}
		two := TwoWay([]byte(y), []byte(z), labels)
		if resolved := resolve(two.Content, true); strings.TrimSuffix(resolved, "\n") != strings.TrimSuffix(y, "\n") {
			t.Fatalf("TwoWay(%q, %q) resolved for yours is %q", y, z, resolved)
		}
		if resolved := resolve(two.Content, false); strings.TrimSuffix(resolved, "\n") != strings.TrimSuffix(z, "\n") {
			t.Fatalf("TwoWay(%q, %q) resolved for theirs is %q", y, z, resolved)
		}
	}
}

// An edit replaces a line by others; edits on lines that do not touch are disjoint.
func TestDisjointEditsMergeCleanly(t *testing.T) {
	rng := soak.Rand(t)
	for range 3000 {
		base, yours, theirs, want := disjointEdits(rng, uniqueLine)
		got := Text([]byte(base), []byte(yours), []byte(theirs), labels)
		if got.Conflicts != 0 || string(got.Content) != want {
			t.Fatalf("Text(%q, %q, %q) = %q with %d conflicts, want %q", base, yours, theirs, got.Content, got.Conflicts, want)
		}
	}
}

func TestCleanMergesAgreeWithGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	rng := soak.Rand(t)
	dir := t.TempDir()
	clean := 0
	for i := range 200 {
		line := uniqueLine
		if i%2 == 1 {
			line = codeLine
		}
		base, yours, theirs, _ := disjointEdits(rng, line)
		content, conflicts := gitMerge(t, dir, base, yours, theirs)
		got := Text([]byte(base), []byte(yours), []byte(theirs), labels)
		if conflicts || got.Conflicts > 0 {
			continue
		}
		clean++
		if diff := cmp.Diff(content, string(got.Content)); diff != "" {
			t.Fatalf("base %q\nyours %q\ntheirs %q\n(-git +ours):\n%s", base, yours, theirs, diff)
		}
	}
	if clean < 100 {
		t.Errorf("only %d of 200 merges were clean on both sides: the test compares too little", clean)
	}
}

func gitMerge(t *testing.T, dir, base, yours, theirs string) (content string, conflicts bool) {
	t.Helper()
	for name, text := range map[string]string{"base": base, "yours": yours, "theirs": theirs} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("git", "merge-file", "-p", "yours", "base", "theirs")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() < 0 {
		t.Fatal(err)
	}
	return string(out), err != nil
}

// resolve takes one side of every conflict.
func resolve(text []byte, yours bool) string {
	var out strings.Builder
	take := true
	for l := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(l, markYours):
			take = yours
		case strings.HasPrefix(l, markMiddle):
			take = !yours
		case strings.HasPrefix(l, markTheirs):
			take = true
		case take:
			out.WriteString(l)
		}
	}
	return out.String()
}

func randomText(rng *rand.Rand) string {
	lines := make([]string, rng.IntN(10))
	for i := range lines {
		lines[i] = string(rune('a' + rng.IntN(8)))
	}
	text := strings.Join(lines, "\n")
	if text != "" && rng.IntN(4) > 0 {
		text += "\n"
	}
	return text
}

func uniqueLine(rng *rand.Rand, i int) string { return fmt.Sprintf("line %d %x", i, rng.Uint64()) }

// codeLine repeats itself, as code does.
func codeLine(rng *rand.Rand, i int) string {
	repeated := []string{"}", "", "\treturn err", "\t}", "\tif err != nil {"}
	if rng.IntN(3) == 0 {
		return repeated[rng.IntN(len(repeated))]
	}
	return uniqueLine(rng, i)
}

// disjointEdits makes a text, two versions of it that changed different places, and the text with both changes.
func disjointEdits(rng *rand.Rand, line func(*rand.Rand, int) string) (base, yours, theirs, want string) {
	var b, y, z, w []string
	turn := 0
	for i := range 5 + rng.IntN(40) {
		l := line(rng, i)
		b = append(b, l)
		if turn++; turn%3 != 0 { // two untouched lines between any two edits
			y, z, w = append(y, l), append(z, l), append(w, l)
			continue
		}
		edited := make([]string, rng.IntN(3))
		for j := range edited {
			edited[j] = line(rng, 1000+i+j)
		}
		switch rng.IntN(3) {
		case 0:
			y, z, w = append(y, edited...), append(z, l), append(w, edited...)
		case 1:
			y, z, w = append(y, l), append(z, edited...), append(w, edited...)
		default:
			y, z, w = append(y, l), append(z, l), append(w, l)
		}
	}
	text := func(lines []string) string { return strings.Join(lines, "\n") + "\n" }
	return text(b), text(y), text(z), text(w)
}

func FuzzText(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nX\nc\n", "a\nb\nC")
	f.Add("a\r\nb", "", "\r\n")
	f.Add("\r", "\r\r\n", "\n")
	f.Add("", "", "\n\r\r\n")
	f.Fuzz(func(t *testing.T, base, yours, theirs string) {
		got := Text([]byte(base), []byte(yours), []byte(theirs), labels)
		if base == theirs && string(got.Content) != yours {
			t.Errorf("theirs changed nothing, yet yours %q became %q", yours, got.Content)
		}
		if base == yours && plain(string(got.Content)) != plain(theirs) {
			t.Errorf("yours changed nothing, yet theirs %q became %q", theirs, got.Content)
		}
		if got.Conflicts > 0 && !HasMarkers(got.Content, labels) {
			t.Errorf("%d conflicts without markers in %q", got.Conflicts, got.Content)
		}
	})
}

func plain(text string) string { return string(Normalize([]byte(text))) }

func TestWithEndings(t *testing.T) {
	tests := []struct{ text, other, want string }{
		{"a\nb\n", "x\r\n", "a\r\nb\r\n"},
		{"a\r\nb", "x\n", "a\nb"},
		{"a\nb\n", "x", "a\nb\n"},
		{"a\nb\n", "", "a\nb\n"},
		{"a\nb\n", "1\r\n2\r\n3\n", "a\r\nb\r\n"},
		{"", "x\r\n", ""},
	}
	for _, tt := range tests {
		if got := string(WithEndings([]byte(tt.text), []byte(tt.other))); got != tt.want {
			t.Errorf("WithEndings(%q, %q) = %q, want %q", tt.text, tt.other, got, tt.want)
		}
	}
}

func ExampleText() {
	base := "package main\n\nfunc main() {\n}\n"
	yours := "package main\n\nfunc main() {\n\tstart()\n}\n"
	theirs := "// Package main is the greeter.\npackage main\n\nfunc main() {\n}\n"
	result := Text([]byte(base), []byte(yours), []byte(theirs), Labels{Yours: "yours", Theirs: "scaffold v2"})
	fmt.Print(string(result.Content))
	// Output:
	// // Package main is the greeter.
	// package main
	//
	// func main() {
	// 	start()
	// }
}

func TestSides(t *testing.T) {
	for text, want := range map[string]struct {
		upper, lower string
		torn         bool
	}{
		"a\nb\n": {"a\nb\n", "a\nb\n", false},
		"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\nd\n":                       {"a\nb\nd\n", "a\nc\nd\n", true},
		"<<<<<<< HEAD\r\nb\r\n=======\r\n>>>>>>> other\r\n":                        {"b\r\n", "", true},
		"<<<<<<< a\n1\n||||||| base\n0\n=======\n2\n>>>>>>> b\n":                   {"1\n", "2\n", true},
		"<<<<<<< a\n1\n=======\n2\n>>>>>>> b\nx\n<<<<<<< a\n=======\n3\n>>>>>>> b": {"1\nx\n", "2\nx\n3\n", true},
		"a\n<<<<<<< HEAD\nb\n=======\nc\n":                                         {"a\n<<<<<<< HEAD\nb\n=======\nc\n", "a\n<<<<<<< HEAD\nb\n=======\nc\n", false},
		"Title\n=======\ntext\n":                                                   {"Title\n=======\ntext\n", "Title\n=======\ntext\n", false},
	} {
		upper, lower, torn := Sides([]byte(text))
		if string(upper) != want.upper || string(lower) != want.lower || torn != want.torn {
			t.Errorf("%q: %q, %q, %v", text, upper, lower, torn)
		}
	}
}

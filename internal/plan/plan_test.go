package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/test/soak"
)

// tree is a disk in memory.
type tree map[string]Disk

func (t tree) Read(name string) (*Disk, error) {
	if d, there := t[name]; there {
		return &d, nil
	}
	return nil, nil
}

func (t tree) ReadDir(dir string) ([]fs.DirEntry, error) {
	m := fstest.MapFS{}
	for name, d := range t {
		m[name] = &fstest.MapFile{Data: d.Content, Mode: d.Mode}
	}
	entries, err := m.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// apply does to the tree and the state what package workspace does to a disk.
func (t tree) apply(state map[string]Base, p *Plan) (tree, map[string]Base) {
	after, recorded := maps.Clone(t), maps.Clone(state)
	for _, a := range p.Actions {
		delete(recorded, a.Path)
		if a.Base != nil {
			recorded[a.Path] = *a.Base
		}
		switch {
		case !a.Writes():
		case a.New == nil:
			delete(after, a.Path)
		default:
			after[a.Path] = Disk{Content: a.New, Mode: a.Mode}
		}
	}
	return after, recorded
}

func words(p *Plan) string {
	var out []string
	for _, a := range p.Actions {
		out = append(out, string(a.Op)+" "+a.Path)
	}
	return strings.Join(out, "\n")
}

func TestBuildSortsEveryPathOnce(t *testing.T) {
	state := map[string]Base{"b": *baseOf(Owned, "b\n"), "z": *baseOf(Owned, "z\n")}
	disk := tree{"b": *onDisk("b\n"), "z": *onDisk("z\n")}
	files := []File{{Path: "é/ü", Class: Once, Mode: 0o644}, {Path: "b", Content: []byte("B\n"), Class: Owned}, {Path: "a", Class: Owned}}
	p, err := Build(state, disk, files, v2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("create a\nupdate b\ndelete z\ncreate é/ü", words(p)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestBuildRefusesPathsThatLeaveThePlatform(t *testing.T) {
	for _, name := range []string{"../x", "/etc/passwd", "a/../../x", "", "a//b", "a/"} {
		if _, err := Build(nil, tree{}, []File{{Path: name, Template: "evil"}}, v2); err == nil || !strings.Contains(err.Error(), "evil") {
			t.Errorf("%q: error %v, want one that names the template", name, err)
		}
	}
}

func TestBuildRefusesTwoTemplatesForOnePath(t *testing.T) {
	_, err := Build(nil, tree{}, []File{{Path: "a", Template: "one"}, {Path: "a", Template: "two"}}, v2)
	if err == nil || !strings.Contains(err.Error(), "one and two") {
		t.Errorf("error %v, want one that names both templates", err)
	}
}

func TestJoinRefusesTwoOwnersOfOnePath(t *testing.T) {
	one := &Plan{Actions: []Action{{Path: "b", Owner: "services/a"}, {Path: "d", Owner: "services/a"}}}
	two := &Plan{Actions: []Action{{Path: "a"}, {Path: "c"}}}
	joined, err := Join(one, two)
	if err != nil {
		t.Fatal(err)
	}
	if got := words(joined); got != " a\n b\n c\n d" {
		t.Errorf("joined: %q", got)
	}
	if _, err := Join(one, &Plan{Actions: []Action{{Path: "b"}}}); err == nil || !strings.Contains(err.Error(), "the platform") {
		t.Errorf("error %v, want one that names both owners", err)
	}
}

func TestBuildSeedsNoMethodThatIsThere(t *testing.T) {
	seedFile := File{Path: "s/create.go", Class: Once, Content: []byte("package s\n"), Provides: "Handler.Create"}
	tests := []struct {
		name string
		file string
		text string
		want Op
	}{
		{"declared elsewhere", "s/all.go", "package s\nfunc (h *Handler) Create() {}\n", Skip},
		{"declared by value", "s/all.go", "package s\nfunc (Handler) Create() {}\n", Skip},
		{"declared after a syntax error in a body", "s/all.go", "package s\nfunc (Handler) Create() { x := }\n", Skip},
		{"of another type", "s/all.go", "package s\nfunc (Store) Create() {}\n", Create},
		{"a function", "s/all.go", "package s\nfunc Create() {}\n", Create},
		{"in a comment", "s/all.go", "package s\n// func (Handler) Create() {}\n", Create},
		{"in a test", "s/all_test.go", "package s\nfunc (Handler) Create() {}\n", Create},
		{"in another folder", "s/deep/all.go", "package s\nfunc (Handler) Create() {}\n", Create},
		{"in no Go file", "s/all.txt", "package s\nfunc (Handler) Create() {}\n", Create},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Build(nil, tree{tt.file: *onDisk(tt.text)}, []File{seedFile}, v2)
			if err != nil {
				t.Fatal(err)
			}
			a := p.Actions[0]
			if a.Op != tt.want {
				t.Errorf("%s (%s), want %s", a.Op, a.Reason, tt.want)
			}
			if a.Op == Skip && (a.Reason != "Handler.Create is in all.go" || a.Base != nil || a.New != nil) {
				t.Errorf("skipped as %+v", a)
			}
		})
	}
}

func TestBuildSeedsNoFunctionThatIsThere(t *testing.T) {
	seedFile := File{Path: "s/present.go", Class: Once, Content: []byte("package s\n"), Provides: "present"}
	for text, want := range map[string]Op{
		"package s\nfunc present() {}\n":             Skip,
		"package s\nfunc (h Handler) present() {}\n": Create,
	} {
		p, err := Build(nil, tree{"s/all.go": *onDisk(text)}, []File{seedFile}, v2)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Actions[0].Op; got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestBuildSeedsAMethodWhoseOldFileGoes(t *testing.T) {
	old := "package s\nfunc (Handler) Create() {}\n"
	p, err := Build(map[string]Base{"s/old.go": *baseOf(Once, old)}, tree{"s/old.go": *onDisk(old)},
		[]File{{Path: "s/new.go", Class: Once, Content: []byte(old), Provides: "Handler.Create"}}, v2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("create s/new.go\ndelete s/old.go", words(p)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestBuildSeedsAFunctionThatItsOldFileLoses(t *testing.T) {
	old, now := "package s\nfunc present() {}\n", "package s\n"
	p, err := Build(map[string]Base{"s/handler.go": *baseOf(Once, old)}, tree{"s/handler.go": *onDisk(old)}, []File{
		{Path: "s/handler.go", Class: Once, Content: []byte(now)},
		{Path: "s/thing.go", Class: Once, Content: []byte(old), Provides: "present"},
	}, v2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("update s/handler.go\ncreate s/thing.go", words(p)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// world is a random platform: what was rendered last, what people made of it, and what is rendered now.
type world struct {
	state    map[string]Base
	disk     tree
	rendered []File
}

func randomWorld(rng *rand.Rand) world {
	w := world{state: map[string]Base{}, disk: tree{}}
	classes := []Class{Owned, Merged, Once}
	for i := range 1 + rng.IntN(12) {
		name := fmt.Sprintf("d%d/f%d.txt", i%3, i)
		class := classes[rng.IntN(3)]
		frozen := class == Once && rng.IntN(2) == 0
		text := randomLines(rng)
		if rng.IntN(4) > 0 {
			base := baseOf(class, text)
			base.Frozen = frozen
			w.state[name] = *base
		}
		if rng.IntN(4) > 0 {
			if rng.IntN(2) == 0 {
				text = edit(rng, text)
			}
			w.disk[name] = Disk{Content: []byte(text), Mode: []fs.FileMode{0o644, 0o755, 0o600}[rng.IntN(3)]}
		}
		if rng.IntN(4) > 0 {
			w.rendered = append(w.rendered, File{Path: name, Content: []byte(edit(rng, text)), Mode: []fs.FileMode{0o644, 0o755}[rng.IntN(2)], Class: class, Frozen: frozen})
		}
	}
	return w
}

func randomLines(rng *rand.Rand) string {
	var b strings.Builder
	for range rng.IntN(8) {
		fmt.Fprintf(&b, "line %d\n", rng.IntN(1000))
	}
	return b.String()
}

func edit(rng *rand.Rand, text string) string {
	lines := strings.SplitAfter(text, "\n")
	i := rng.IntN(len(lines))
	switch rng.IntN(5) {
	case 0:
		lines[i] = fmt.Sprintf("edit %d\n", rng.IntN(1000))
	case 1:
		lines = slices.Insert(lines, i, fmt.Sprintf("more %d\n", rng.IntN(1000)))
	case 2:
		return strings.TrimSuffix(text, "\n")
	case 3:
		return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	}
	return strings.Join(lines, "")
}

func TestPlansNeverLoseWhatAPersonWrote(t *testing.T) {
	rng := soak.Rand(t)
	for range 2000 {
		w := randomWorld(rng)
		p, err := Build(w.state, w.disk, w.rendered, Options{Version: "v2", Restore: rng.IntN(4) == 0})
		if err != nil {
			t.Fatal(err)
		}
		after, _ := w.disk.apply(w.state, p)
		for name, before := range w.disk {
			base, known := w.state[name]
			if known && base.Hash == Hash(before.Content) {
				continue // pristine: nobody's work
			}
			now, there := after[name]
			if !there {
				t.Fatalf("%s: %q is gone", name, before.Content)
			}
			for line := range bytes.Lines(before.Content) {
				text := bytes.TrimRight(line, "\r\n")
				if !bytes.Contains(base.Content, text) && !bytes.Contains(now.Content, text) {
					t.Fatalf("%s: the line %q of %q is lost in %q", name, text, before.Content, now.Content)
				}
			}
		}
	}
}

func TestAFrozenFileNeverChanges(t *testing.T) {
	rng := soak.Rand(t)
	for range 2000 {
		w := randomWorld(rng)
		p, err := Build(w.state, w.disk, w.rendered, Options{Version: "v2", Restore: rng.IntN(2) == 0})
		if err != nil {
			t.Fatal(err)
		}
		after, _ := w.disk.apply(w.state, p)
		for name, base := range w.state { // what is rendered now, and what is not any more
			if !base.Frozen {
				continue
			}
			before, there := w.disk[name]
			now := after[name]
			if there && !bytes.Equal(before.Content, now.Content) {
				t.Fatalf("%s: %q became %q", name, before.Content, now.Content)
			}
			if now.Content != nil && !there && Hash(now.Content) != base.Hash {
				t.Fatalf("%s was restored as %q, which it was not", name, now.Content)
			}
		}
	}
}

func TestAPlanAppliedLeavesNothingToDo(t *testing.T) {
	rng := soak.Rand(t)
	for range 2000 {
		w := randomWorld(rng)
		opt := Options{Version: "v2", Restore: rng.IntN(4) == 0}
		first, err := Build(w.state, w.disk, w.rendered, opt)
		if err != nil {
			t.Fatal(err)
		}
		disk, state := w.disk.apply(w.state, first)
		second, err := Build(state, disk, w.rendered, opt)
		if err != nil {
			t.Fatal(err)
		}
		conflicts := map[string]bool{}
		for _, a := range first.Conflicts() {
			conflicts[a.Path] = true
		}
		for _, a := range second.Actions {
			settled := a.Op == Identical || a.Op == Keep || a.Op == Skip || a.Op == Conflict && conflicts[a.Path]
			if !settled || a.Writes() {
				t.Fatalf("first:\n%s\nsecond:\n%s\nwhich writes %s again (%s)\nstate %+v\ndisk %q", words(first), words(second), a.Path, a.Reason, state[a.Path], disk[a.Path].Content)
			}
		}
		_, again := disk.apply(state, second)
		if diff := cmp.Diff(state, again); diff != "" {
			t.Fatalf("the second run records something else (-first +second):\n%s", diff)
		}
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	rng := soak.Rand(t)
	for range 100 {
		w := randomWorld(rng)
		one, err := Build(w.state, w.disk, w.rendered, v2)
		if err != nil {
			t.Fatal(err)
		}
		rng.Shuffle(len(w.rendered), func(i, j int) { w.rendered[i], w.rendered[j] = w.rendered[j], w.rendered[i] })
		other, err := Build(w.state, w.disk, w.rendered, v2)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(one, other); diff != "" {
			t.Fatalf("plans differ:\n%s", diff)
		}
	}
}

func BenchmarkBuildFiveHundredServices(b *testing.B) {
	state, disk := map[string]Base{}, tree{}
	var files []File
	text := strings.Repeat("a line of some code, as long as most\n", 60)
	for i := range 7500 {
		name := path.Join("services", fmt.Sprint(i/15), fmt.Sprint(i))
		state[name], disk[name] = *baseOf(Owned, text), *onDisk(text)
		files = append(files, File{Path: name, Content: []byte(text), Class: Owned})
	}
	for b.Loop() {
		if _, err := Build(state, disk, files, v2); err != nil {
			b.Fatal(err)
		}
	}
}

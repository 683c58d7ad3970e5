package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/plan"
)

func TestMain(m *testing.M) {
	if CommitterMain(os.Args[1:]) || syncMain(os.Args[1:]) {
		return
	}
	os.Exit(m.Run())
}

// A platform is a test's tree on the disk.
type platform struct {
	t    testing.TB
	root string
	ws   *Workspace
}

func newPlatform(t testing.TB) *platform {
	t.Helper()
	p := &platform{t: t, root: t.TempDir()}
	p.write(Marker, "name: test\n")
	p.open()
	return p
}

func (p *platform) open() *Workspace {
	p.t.Helper()
	if p.ws != nil {
		p.close()
	}
	ws, err := Open(p.root)
	if err != nil {
		p.t.Fatal(err)
	}
	p.ws = ws
	p.t.Cleanup(p.close)
	return ws
}

func (p *platform) close() {
	if p.ws != nil {
		if err := p.ws.Close(); err != nil {
			p.t.Error(err)
		}
		p.ws = nil
	}
}

func (p *platform) path(name string) string { return filepath.Join(p.root, filepath.FromSlash(name)) }

func (p *platform) write(name, content string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) read(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(content)
}

func (p *platform) remove(name string) {
	p.t.Helper()
	if err := os.RemoveAll(p.path(name)); err != nil {
		p.t.Fatal(err)
	}
}

// plan plans one service's files.
func (p *platform) plan(owner string, files ...plan.File) *plan.Plan {
	p.t.Helper()
	state, err := p.ws.State(owner)
	if err != nil {
		p.t.Fatal(err)
	}
	built, err := plan.Build(state.Files, p.ws, files, plan.Options{Owner: owner, Version: "v1"})
	if err != nil {
		p.t.Fatal(err)
	}
	return built
}

var meta = Meta{Command: "scaffold sync", TemplateVersion: "v1"}

func (p *platform) apply(owner string, files ...plan.File) *plan.Plan {
	p.t.Helper()
	built := p.plan(owner, files...)
	if err := p.ws.Apply(context.Background(), built, meta); err != nil {
		p.t.Fatal(err)
	}
	return built
}

func (p *platform) undo() *Undone {
	p.t.Helper()
	undone, err := p.ws.Undo(context.Background(), Again)
	if err != nil {
		p.t.Fatal(err)
	}
	return undone
}

// tree is everything below the root but the house: folders, modes and contents.
func (p *platform) tree() string {
	p.t.Helper()
	text, err := treeOf(p.root)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

func treeOf(root string) (string, error) {
	var lines []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if rel == house || rel == ".git" {
			return filepath.SkipDir
		}
		info, err := entry.Info()
		if err != nil || !entry.Type().IsRegular() {
			lines = append(lines, fmt.Sprintf("%s %s", rel, info.Mode()))
			return err
		}
		content, err := os.ReadFile(name)
		lines = append(lines, fmt.Sprintf("%s %s %s", rel, info.Mode(), digest(content)))
		return err
	})
	sort.Strings(lines)
	return strings.Join(lines, "\n"), err
}

// noLeftovers fails the test when a transaction is left.
func (p *platform) noLeftovers() {
	p.t.Helper()
	entries, err := os.ReadDir(p.path(transactions))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.t.Fatal(err)
	}
	if len(entries) > 0 {
		p.t.Errorf("%d transactions are left behind", len(entries))
	}
}

func owned(name, content string) plan.File {
	return plan.File{Path: name, Content: []byte(content), Mode: 0o644, Class: plan.Owned, Template: path.Base(name) + ".tmpl"}
}

func merged(name, content string) plan.File {
	f := owned(name, content)
	f.Class = plan.Merged
	return f
}

func once(name, content string) plan.File {
	f := owned(name, content)
	f.Class = plan.Once
	return f
}

// service is a service like a real one, in a version.
func service(name, version string) []plan.File {
	dir := "services/" + name
	files := []plan.File{
		once(dir+"/service.yaml", "name: "+name+"\n"),
		merged(dir+"/main.go", "package main\n\n// version "+version+"\nfunc main() {\n\trun()\n}\n"),
		once("contracts/events/"+name+".created.v1.json", "{}\n"),
	}
	for i := range 22 {
		text := strings.Repeat(fmt.Sprintf("// %s line of file %d, version %s\n", name, i, version), 50)
		files = append(files, owned(fmt.Sprintf("%s/d%d/f%d.go", dir, i%6, i), text))
	}
	return files
}

const greeter = "services/greeter"

func TestApplyMakesWhatIsPlanned(t *testing.T) {
	p := newPlatform(t)
	p.write("services/other/main.go", "package main\n")
	p.apply(greeter, service("greeter", "1")...)
	for _, f := range service("greeter", "1") {
		if got := p.read(f.Path); got != string(f.Content) {
			t.Errorf("%s: %q", f.Path, got)
		}
	}
	p.noLeftovers()
	if again := p.plan(greeter, service("greeter", "1")...); again.Count(plan.Identical) != len(again.Actions) {
		t.Errorf("planned again: %s", again.Summary())
	}
}

func TestFind(t *testing.T) {
	p := newPlatform(t)
	p.write("services/a/x", "")
	for _, dir := range []string{".", "services", "services/a"} {
		got, err := Find(p.path(dir))
		if err != nil || got != p.root {
			t.Errorf("Find(%s) = %q, %v; want %q", dir, got, err, p.root)
		}
	}
	_, err := Find(t.TempDir())
	if !errors.Is(err, ErrNoPlatform) {
		t.Errorf("outside of a platform: %v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoPlatform) {
		t.Errorf("Open outside of a platform: %v", err)
	}
}

// The cost of a sync that finds nothing to do, without rendering.
func BenchmarkPlanFiveHundredServices(b *testing.B) {
	p := newPlatform(b)
	p.ws.disk.unsynced, p.ws.inProcess = true, true
	const fleet = 500
	for i := range fleet {
		name := fmt.Sprintf("s%d", i)
		p.apply("services/"+name, service(name, "1")...)
	}
	for b.Loop() {
		for i := range fleet {
			name := fmt.Sprintf("s%d", i)
			if p.plan("services/"+name, service(name, "1")...).Changes() {
				b.Fatal("the second plan changes something")
			}
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 20} {
		for _, kind := range []string{"new", "update"} {
			b.Run(fmt.Sprintf("%s-%d", kind, n), func(b *testing.B) { benchmarkApply(b, n, kind) })
		}
	}
}

func benchmarkApply(b *testing.B, n int, kind string) {
	p := newPlatform(b)
	p.write("contracts/events/x.json", "{}\n")
	p.write("services/other/main.go", "package main\n")
	all := func(version string) *plan.Plan {
		var plans []*plan.Plan
		for i := range n {
			name := fmt.Sprintf("s%d", i)
			plans = append(plans, p.plan("services/"+name, service(name, version)...))
		}
		joined, err := plan.Join(plans...)
		if err != nil {
			b.Fatal(err)
		}
		return joined
	}
	apply := func(built *plan.Plan) {
		if err := p.ws.Apply(context.Background(), built, meta); err != nil {
			b.Fatal(err)
		}
	}
	round := 0
	if kind == "update" {
		apply(all("0"))
	}
	for b.Loop() {
		b.StopTimer()
		if kind == "new" {
			p.remove("services")
			p.remove("contracts")
			p.write("contracts/events/x.json", "{}\n")
			p.write("services/other/main.go", "package main\n")
		}
		round++
		built := all(fmt.Sprint(round))
		b.StartTimer()
		apply(built)
	}
}

package render

import (
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const module = "github.com/trellis-mesh/trellis"

// platform is a platform's tree in memory.
type platform struct {
	t     testing.TB
	r     *Renderer
	files fstest.MapFS
	made  map[string][]string // by service, what create rendered
}

// shared is a renderer that remembers what it made of a contract for the next test.
var shared = sync.OnceValues(New)

func newPlatform(t testing.TB) *platform {
	t.Helper()
	r, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{t, r, fstest.MapFS{}, map[string][]string{}}
	p.write("go.mod", "module "+module+"\n\ngo 1.26.0\n")
	p.write("platform.yaml", "name: shop\n")
	return p
}

func (p *platform) write(path, content string) {
	p.files[path] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
}

func (p *platform) read(path string) string {
	p.t.Helper()
	file := p.files[path]
	if file == nil {
		p.t.Fatalf("%s was not rendered", path)
	}
	return string(file.Data)
}

func (p *platform) model() *spec.Model {
	p.t.Helper()
	m, err := spec.Load(p.files)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// create makes a service as scaffold new does, and gives the files that the second step rendered.
func (p *platform) create(name string, o spec.Options, in Inputs, edits ...string) []plan.File {
	p.t.Helper()
	declaration := spec.NewService(name, o)
	declaration = []byte(strings.NewReplacer(edits...).Replace(string(declaration)))
	path := "services/" + name + "/service.yaml"
	service, err := spec.ParseService(path, declaration)
	if err != nil {
		p.t.Fatal(err)
	}
	seeds, err := p.r.Seeds(SeedInput{Model: p.model(), Service: service, Declaration: declaration, Inputs: in})
	if err != nil {
		p.t.Fatal(err)
	}
	p.put(seeds)
	files := p.sync(name, in, nil)
	for _, f := range files {
		p.made[name] = append(p.made[name], f.Path)
	}
	return files
}

// sync renders a service again as scaffold sync does: what it does not have any more goes.
func (p *platform) sync(name string, in Inputs, cache Cache) []plan.File {
	p.t.Helper()
	files, err := p.r.Service(p.model(), name, in, cache)
	if err != nil {
		p.t.Fatal(err)
	}
	keep := map[string]bool{}
	for _, f := range files {
		keep[f.Path] = true
	}
	for _, path := range p.made[name] {
		if !keep[path] {
			delete(p.files, path)
		}
	}
	p.put(files)
	return files
}

func (p *platform) put(files []plan.File) {
	for _, f := range files {
		p.files[f.Path] = &fstest.MapFile{Data: f.Content, Mode: f.Mode}
	}
}

// rendered are all files of the platform, as the lint sees them.
func (p *platform) rendered() []plan.File {
	var files []plan.File
	for path, f := range p.files {
		files = append(files, plan.File{Path: path, Content: f.Data, Mode: f.Mode})
	}
	return files
}

// texts are the files below a folder, by path from it.
func (p *platform) texts(dir string) map[string]string {
	p.t.Helper()
	all := map[string]string{}
	sub, err := fs.Sub(p.files, dir)
	if err != nil {
		p.t.Fatal(err)
	}
	err = fs.WalkDir(sub, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[path] = p.read(dir + "/" + path)
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// memory is a Cache of what was rendered.
type memory map[string]plan.File

func newMemory(files []plan.File) memory {
	m := memory{}
	for _, f := range files {
		m[f.Path] = f
	}
	return m
}

func (m memory) Content(path, inputHash string) ([]byte, bool) {
	f, ok := m[path]
	return f.Content, ok && f.InputHash == inputHash
}

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/lint/object"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// Found adds to the rendered files what else goes to a cluster: what a person wrote beside them on the disk, and whatever the
// kustomizations lead to. A file that is rendered stays as it is rendered.
func Found(m *spec.Model, files []plan.File, disk fs.FS) ([]plan.File, error) {
	t := newManifests(files)
	t.disk = disk
	folders := []string{"mesh"}
	for _, s := range m.Services {
		folders = append(folders, path.Join(s.Dir, "deploy"))
	}
	for _, dir := range folders {
		if err := t.walk(dir); err != nil {
			return nil, err
		}
	}
	if err := t.follow(); err != nil {
		return nil, err
	}
	files = slices.Clone(files)
	for _, name := range slices.Sorted(maps.Keys(t.written)) {
		files = append(files, t.all[name])
	}
	return files, nil
}

// manifests are the files that a cluster is given, and those that lead to them.
type manifests struct {
	all            map[string]plan.File // by path, those that nothing leads to as well
	given          map[string]bool      // the paths of those that are in the mesh's and the services' folders, or led to
	inputs         map[string]bool      // of those that others are changed or made with
	written        map[string]bool      // of those that are on the disk only
	kustomizations map[string]*object.Kustomization
	problems       spec.Problems
	disk           fs.FS // or nil
}

func newManifests(files []plan.File) *manifests {
	t := &manifests{all: map[string]plan.File{}, given: map[string]bool{}, inputs: map[string]bool{}, written: map[string]bool{}, kustomizations: map[string]*object.Kustomization{}}
	for _, f := range files {
		t.all[f.Path] = f
		if deployed(f.Path) {
			t.given[f.Path] = true
		}
	}
	return t
}

// deployed reports whether a file goes to a cluster by where it lies: those of the mesh, and of the services' deploy folders.
func deployed(file string) bool {
	inMesh := strings.HasPrefix(file, "mesh/") && !strings.HasPrefix(file, "mesh/proof/")
	parts := strings.Split(file, "/")
	inService := len(parts) > 3 && parts[0] == spec.ServicesDir && parts[2] == "deploy" && !strings.HasPrefix(path.Base(file), "rules")
	return (inMesh || inService) && (isYAML(file) || object.IsKustomization(file))
}

func isYAML(file string) bool { return path.Ext(file) == ".yaml" || path.Ext(file) == ".yml" }

// walk adds the files of a folder on the disk.
func (t *manifests) walk(dir string) error {
	err := fs.WalkDir(t.disk, dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == dir:
			return nil
		case err != nil:
			return err
		case e.IsDir() && name == "mesh/proof":
			return fs.SkipDir
		case e.Type().IsRegular() && deployed(name):
			_, err = t.has(name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read what a cluster is given: %w", err)
	}
	return nil
}

// has reports whether a file is there, and then counts it among those that are given.
func (t *manifests) has(name string) (bool, error) {
	if _, known := t.all[name]; !known && t.disk != nil && fs.ValidPath(name) {
		info, err := fs.Stat(t.disk, name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			return false, nil
		}
		var content []byte
		if err == nil {
			content, err = fs.ReadFile(t.disk, name)
		}
		if err != nil {
			return false, fmt.Errorf("read what a cluster is given: %w", err)
		}
		t.all[name] = plan.File{Path: name, Content: content, Class: plan.Once}
		t.written[name] = true
	}
	if _, known := t.all[name]; !known {
		return false, nil
	}
	t.given[name] = true
	return true, nil
}

// follow reads the kustomizations and what they lead to.
func (t *manifests) follow() error {
	queue := slices.DeleteFunc(slices.Sorted(maps.Keys(t.given)), func(name string) bool { return !object.IsKustomization(name) })
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if t.kustomizations[path.Dir(name)] != nil {
			continue
		}
		contents, problems := object.Read([]plan.File{t.all[name]})
		t.problems = append(t.problems, problems...)
		if len(contents.Kustomizations) == 0 {
			continue
		}
		k := contents.Kustomizations[0]
		t.kustomizations[path.Dir(name)] = k
		more, err := t.lead(k)
		if err != nil {
			return err
		}
		queue = append(queue, more...)
	}
	return nil
}

// lead gives the kustomizations that one leads to.
func (t *manifests) lead(k *object.Kustomization) (more []string, err error) {
	dir := path.Dir(k.File)
	for _, in := range k.Inputs {
		target := path.Join(dir, in.Path)
		t.inputs[target] = true
		if _, err := t.has(target); err != nil {
			return nil, err
		}
	}
	for _, entry := range append(k.Resources, k.Components...) {
		target := path.Join(dir, entry)
		names := append([]string{target}, object.KustomizationsIn(target)...)
		for i, name := range names {
			there, err := t.has(name)
			if err != nil {
				return nil, err
			}
			if there && i > 0 {
				more = append(more, name)
			}
			if there {
				break
			}
		}
	}
	return more, nil
}

// applied are the files that hold objects: they and what is beside them, such as values for charts, but neither kustomizations
// nor what these change or make objects with.
func (t *manifests) applied() []plan.File {
	var all []plan.File
	for _, name := range slices.Sorted(maps.Keys(t.given)) {
		if isYAML(name) && !t.inputs[name] && !object.IsKustomization(name) {
			all = append(all, t.all[name])
		}
	}
	return all
}

// listed checks what the kustomizations name: it is there, and every file is named by one.
func (c *checks) listed() {
	t, named := c.manifests, map[string]bool{}
	for _, dir := range slices.Sorted(maps.Keys(t.kustomizations)) {
		k := t.kustomizations[dir]
		entries := func(field string, all []string) {
			for i, entry := range all {
				target := path.Join(dir, entry)
				named[target] = true
				_, values := c.sources.Values[target]
				switch {
				case t.kustomizations[target] != nil:
				case !t.given[target]:
					c.add(k.At(field, i), "%s: there is no %s, and no kustomization of that name", field, entry)
				case values:
					c.add(k.At(field, i), "%s is listed, but holds no Kubernetes object", entry)
				case !strings.HasPrefix(target, dir+"/"):
					c.add(k.At(field, i), "%s lies outside of %s: kustomize takes a folder from there, but no file", entry, dir)
				}
			}
		}
		entries("resources", k.Resources)
		entries("components", k.Components)
		for _, in := range k.Inputs {
			if !t.given[path.Join(dir, in.Path)] {
				c.add(in.At, "there is no %s", in.Path)
			}
		}
	}
	told := map[string]bool{}
	for _, o := range c.sources.Objects {
		if !named[o.File] && !told[o.File] {
			told[o.File] = true
			c.add(o.At(), "no kustomization lists %s, so it would not be applied", path.Base(o.File))
		}
	}
	for _, name := range c.environments() {
		if k := t.kustomizations[name]; !c.leads(name, map[string]bool{}) {
			c.add(k.At(), "%s does not lead to %s, so the mesh would let everything through", name, baseFolder)
		}
	}
}

// baseFolder holds what every environment needs.
const baseFolder = "mesh/base"

// leads reports whether the kustomization in a folder has the base, by itself or by others.
func (c *checks) leads(dir string, seen map[string]bool) bool {
	k := c.manifests.kustomizations[dir]
	if dir == baseFolder || seen[dir] || k == nil {
		return dir == baseFolder
	}
	seen[dir] = true
	return slices.ContainsFunc(k.Resources, func(entry string) bool { return c.leads(path.Join(dir, entry), seen) })
}

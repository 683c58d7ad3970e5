package cluster

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/trellis-mesh/trellis/internal/lint/object"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// environmentsFolder holds a folder for each environment. What is in its folder service goes on top of each service.
const environmentsFolder = "mesh/environments"

// environments are the folders of the environments, sorted.
func (c *checks) environments() []string {
	var all []string
	for dir := range c.manifests.kustomizations {
		if path.Dir(dir) == environmentsFolder {
			all = append(all, dir)
		}
	}
	slices.Sort(all)
	return all
}

// build gives the objects that an environment's cluster is given, as kustomize makes them: an object that stays as it stands in
// its file is that of the file, and knows its places there.
func (c *checks) build(environment string) []*object.Object {
	b := &building{manifests: c.manifests, sources: map[string][]*object.Object{}, files: map[string][]*object.Object{}, folders: c.folders}
	for _, o := range c.sources.Objects {
		b.sources[identity(o)] = append(b.sources[identity(o)], o)
		b.files[o.File] = append(b.files[o.File], o)
	}
	all := b.objects(environment)
	component := path.Join(environment, "service")
	if c.manifests.kustomizations[component] == nil {
		component = ""
	}
	made := make([]building, len(c.model.Services))
	c.model.Each(func(i int, s *spec.Service) {
		dir := path.Join(s.Dir, "deploy")
		made[i] = *b
		made[i].problems = nil
		switch {
		case c.manifests.kustomizations[dir] == nil:
		case component == "":
			made[i].all = made[i].objects(dir)
		default:
			made[i].all = made[i].together(dir, component)
		}
	})
	for _, m := range made {
		all = append(all, m.all...)
		b.problems = append(b.problems, m.problems...)
	}
	c.problems = append(c.problems, b.problems...)
	return all
}

// identity is what makes two objects the same one.
func identity(o *object.Object) string { return o.APIVersion + " " + o.String() }

// building is the making of one environment's objects.
type building struct {
	manifests *manifests
	sources   map[string][]*object.Object // of the files, by identity: each environment may have one of its own
	files     map[string][]*object.Object // by file
	folders   *sync.Map                   // what kustomize made of single folders, which are the same in each environment
	all       []*object.Object            // what came of it
	problems  spec.Problems
}

// closure are the kustomizations that one leads to, itself first.
func (b *building) closure(dir string) []*object.Kustomization {
	var all []*object.Kustomization
	seen := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		k := b.manifests.kustomizations[dir]
		if k == nil || seen[dir] {
			return
		}
		seen[dir] = true
		all = append(all, k)
		for _, entry := range slices.Concat(k.Resources, k.Components) {
			visit(path.Join(dir, entry))
		}
	}
	visit(dir)
	return all
}

// objects are those that the kustomization in a folder makes. Of one that only lists resources they are those of the files, and of the
// folders: kustomize needs a tenth of a second to learn all types of Kubernetes.
func (b *building) objects(dir string) []*object.Object {
	var all []*object.Object
	seen := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		k := b.manifests.kustomizations[dir]
		switch {
		case k == nil || seen[dir]:
			return
		case !k.Plain:
			all = append(all, b.folder(dir)...)
			return
		}
		seen[dir] = true
		for _, entry := range k.Resources {
			all = append(all, b.files[path.Join(dir, entry)]...)
			visit(path.Join(dir, entry))
		}
	}
	visit(dir)
	return all
}

// folder has kustomize build a folder by itself, once for all environments when it can be built.
func (b *building) folder(dir string) []*object.Object {
	if made, known := b.folders.Load(dir); known {
		return made.([]*object.Object)
	}
	before := len(b.problems)
	made := b.kustomize(dir, b.closure(dir), nil)
	if len(b.problems) == before {
		b.folders.Store(dir, made)
	}
	return made
}

// together are the objects of a service with an environment's component on top.
func (b *building) together(dir, component string) []*object.Object {
	const made = "kustomized"
	text := fmt.Sprintf("resources: [../%s]\ncomponents: [../%s]\n", dir, component)
	closure := append(b.closure(component), b.closure(dir)...)
	return b.kustomize(made, closure, map[string]string{path.Join(made, "kustomization.yaml"): text})
}

// kustomize has kustomize build a folder out of what the closure names. Nothing else is there, so nothing is fetched.
func (b *building) kustomize(dir string, closure []*object.Kustomization, more map[string]string) []*object.Object {
	fs := filesys.MakeFsInMemory()
	write := func(name string, content []byte) {
		_ = fs.WriteFile("/"+name, content) // memory takes every file
	}
	for name, text := range more {
		write(name, []byte(text))
	}
	for _, k := range closure {
		folder := path.Dir(k.File)
		write(k.File, b.manifests.all[k.File].Content)
		for _, entry := range k.Resources {
			if f, ok := b.manifests.all[path.Join(folder, entry)]; ok {
				write(f.Path, f.Content)
			}
		}
		for _, in := range k.Inputs {
			if f, ok := b.manifests.all[path.Join(folder, in.Path)]; ok {
				write(f.Path, f.Content)
			}
		}
	}
	at := closure[0].At()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, "/"+dir)
	if err != nil {
		b.problems.Add(at, "correct the kustomization: kustomize build tells more", "%s cannot be built: %v", path.Dir(closure[0].File), strings.ReplaceAll(err.Error(), "'/", "'"))
		return nil
	}
	var all []*object.Object
	for _, r := range built.Resources() {
		value, err := r.Map()
		var raw []byte
		if err == nil {
			raw, err = json.Marshal(value)
		}
		if err != nil {
			b.problems.Add(at, "correct the kustomization", "the object %s cannot be written: %v", r.CurId(), err)
			continue
		}
		same := b.sources[identity(&object.Object{APIVersion: r.GetApiVersion(), Kind: r.GetKind(), Namespace: r.GetNamespace(), Name: r.GetName()})]
		if i := slices.IndexFunc(same, func(o *object.Object) bool { return o.Is(raw) }); i >= 0 {
			all = append(all, same[i])
			continue
		}
		o, problems := object.Made(raw, origin(closure, r.GetKind(), r.GetName()))
		b.problems = append(b.problems, problems...)
		if len(problems) == 0 {
			all = append(all, o)
		}
	}
	return all
}

// origin is the place of what changed or made an object.
func origin(closure []*object.Kustomization, kind, name string) spec.Position {
	var first spec.Position
	for _, k := range closure {
		if k.Plain {
			continue
		}
		at, names := k.Changes(kind, name)
		if names {
			return at
		}
		if first.File == "" {
			first = at
		}
	}
	return first
}

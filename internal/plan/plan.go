package plan

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// Tree reads the platform's files. Paths are relative to its root, with slashes.
type Tree interface {
	// Read returns the file at path, or nil when nothing lies there.
	Read(path string) (*Disk, error)
	// ReadDir lists a folder; a missing folder is empty.
	ReadDir(dir string) ([]fs.DirEntry, error)
}

// Build plans one owner's files: state is what was rendered last, rendered what is rendered now.
func Build(state map[string]Base, disk Tree, rendered []File, opt Options) (*Plan, error) {
	files := make(map[string]*File, len(rendered))
	for i := range rendered {
		f := &rendered[i]
		if !fs.ValidPath(f.Path) {
			return nil, fmt.Errorf("template %s renders %q, which is not a path inside the platform", f.Template, f.Path)
		}
		if other, twice := files[f.Path]; twice {
			return nil, fmt.Errorf("templates %s and %s both render %s", other.Template, f.Template, f.Path)
		}
		files[f.Path] = f
	}
	p := &Plan{}
	for _, name := range paths(state, files) {
		found, err := disk.Read(name)
		if err != nil {
			return nil, err
		}
		var base *Base
		if b, known := state[name]; known {
			base = &b
		}
		a := Decide(base, found, files[name], opt)
		a.Path = name
		p.Actions = append(p.Actions, a)
	}
	return p, p.dropProvided(disk, files)
}

func paths(state map[string]Base, files map[string]*File) []string {
	all := make([]string, 0, len(files)+len(state))
	for name := range files {
		all = append(all, name)
	}
	for name := range state {
		if files[name] == nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// dropProvided skips the once files that would seed a method which a person's file declares already.
func (p *Plan) dropProvided(disk Tree, files map[string]*File) error {
	m := methods{disk: disk, planned: map[string][]byte{}}
	for i := range p.Actions {
		switch p.Actions[i].Op {
		case Update, Merge, Delete: // a file to be created is no person's yet
			m.planned[p.Actions[i].Path] = p.Actions[i].New
		}
	}
	for i := range p.Actions {
		a := &p.Actions[i]
		if a.Op != Create || a.Class != Once || files[a.Path].Provides == "" {
			continue
		}
		method := files[a.Path].Provides
		file, err := m.declaredIn(path.Dir(a.Path), method)
		if err != nil {
			return err
		}
		if file != "" {
			*a = Action{Path: a.Path, Op: Skip, Class: a.Class, Owner: a.Owner, Reason: method + " is in " + path.Base(file)}
		}
	}
	return nil
}

// Join makes one plan of several; two actions on one path are an error.
func Join(plans ...*Plan) (*Plan, error) {
	joined := &Plan{}
	for _, p := range plans {
		joined.Actions = append(joined.Actions, p.Actions...)
	}
	slices.SortStableFunc(joined.Actions, func(a, b Action) int { return cmp.Compare(a.Path, b.Path) })
	for i := 1; i < len(joined.Actions); i++ {
		a, b := &joined.Actions[i-1], &joined.Actions[i]
		if a.Path == b.Path {
			return nil, fmt.Errorf("%s belongs to both %s and %s; only one may render it", a.Path, owner(a), owner(b))
		}
	}
	return joined, nil
}

func owner(a *Action) string {
	if a.Owner == "" {
		return "the platform"
	}
	return a.Owner
}

package workspace

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A removal arranges the deletions of a layout. A folder goes whole when every file in it goes; folders that are left
// empty go too, where they may.
type removal struct {
	l         *layout
	going     map[string]*change
	coming    map[string]bool // folders in which something is put
	removable func(dir string) bool
	surveys   map[string]*survey
	emptied   map[string]bool
}

// A survey is what is in a folder.
type survey struct {
	whole bool              // every file goes, and no folder in it is empty: an empty one is somebody's
	files map[string]string // the files that go, with their hashes
	modes map[string]fs.FileMode
	taken bool
}

func newRemoval(l *layout, changes []change, removable func(dir string) bool) *removal {
	r := &removal{
		l: l, removable: removable,
		going: map[string]*change{}, coming: map[string]bool{}, surveys: map[string]*survey{}, emptied: map[string]bool{},
	}
	for i := range changes {
		c := &changes[i]
		if c.new == nil {
			r.going[c.path] = c
			continue
		}
		for dir := path.Dir(c.path); dir != "."; dir = path.Dir(dir) {
			r.coming[dir] = true
		}
	}
	return r
}

func (r *removal) arrange(changes []change) error {
	for i := range changes {
		if changes[i].new != nil {
			continue
		}
		name := changes[i].path
		top, err := r.wholeFolder(name)
		if err != nil {
			return err
		}
		if top == "" {
			r.l.steps = append(r.l.steps, step{
				Op: take, Path: name, Staged: r.l.name(stagedOld), OldHash: digest(changes[i].old.Content),
			})
			r.empty(path.Dir(name))
		} else if s := r.surveys[top]; !s.taken {
			s.taken = true
			r.l.steps = append(r.l.steps, step{Op: take, Path: top, Staged: r.l.name(stagedOld), Files: s.below(top)})
			for dir, mode := range s.modes {
				r.l.removed[dir] = mode
			}
			r.empty(path.Dir(top))
		}
	}
	return r.removeEmptied()
}

// wholeFolder is the outermost folder on the way to a path that may go, and of which nothing stays; or "".
func (r *removal) wholeFolder(name string) (string, error) {
	for i := range name {
		if name[i] != '/' || !r.removable(name[:i]) {
			continue
		}
		s, err := r.survey(name[:i])
		if err != nil || s.whole {
			return name[:i], err
		}
	}
	return "", nil
}

func (r *removal) survey(dir string) (*survey, error) {
	if s, known := r.surveys[dir]; known {
		return s, nil
	}
	entries, err := r.l.w.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	info, err := r.l.w.root.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", dir, cause(err))
	}
	s := &survey{
		whole: len(entries) > 0 && !r.coming[dir] && r.removable(dir),
		files: map[string]string{}, modes: map[string]fs.FileMode{dir: info.Mode().Perm()},
	}
	r.surveys[dir] = s
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		c := r.going[name]
		switch {
		case entry.IsDir():
			inner, err := r.survey(name)
			if err != nil {
				return nil, err
			}
			s.add(inner)
		case c != nil:
			s.files[name] = digest(c.old.Content)
		default:
			s.whole = false
		}
	}
	return s, nil
}

func (s *survey) add(inner *survey) {
	s.whole = s.whole && inner.whole
	for name, hash := range inner.files {
		s.files[name] = hash
	}
	for name, mode := range inner.modes {
		s.modes[name] = mode
	}
}

// below are the files by their path in a folder.
func (s *survey) below(dir string) map[string]string {
	files := make(map[string]string, len(s.files))
	for name, hash := range s.files {
		files[strings.TrimPrefix(name, dir+"/")] = hash
	}
	return files
}

// empty notes that a folder, and those above it, may have become empty.
func (r *removal) empty(dir string) {
	for ; dir != "." && r.removable(dir) && !r.coming[dir]; dir = path.Dir(dir) {
		r.emptied[dir] = true
	}
}

func (r *removal) removeEmptied() error {
	dirs := make([]string, 0, len(r.emptied))
	for dir := range r.emptied {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	slices.Reverse(dirs) // innermost first
	for _, dir := range dirs {
		info, err := r.l.w.root.Lstat(dir)
		if err != nil {
			return fmt.Errorf("look at %s: %w", dir, cause(err))
		}
		r.l.removed[dir] = info.Mode().Perm()
		r.l.steps = append(r.l.steps, step{Op: rmdir, Path: dir, Mode: info.Mode().Perm()})
	}
	return nil
}

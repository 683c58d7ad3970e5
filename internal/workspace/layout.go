package workspace

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// A change is what shall become of one file. Old must be on the disk, or nothing when it is nil; new will be.
type change struct {
	path     string
	old, new *plan.Disk
	// exact sets the mode as it is; without it the umask applies, as to any new file.
	exact bool
	// from is a file to take the new content from, with its time of change, instead of writing it.
	from string
	// conflict has the sides for git's index.
	conflict *plan.Action
}

// A layout is how changes become as few renames as possible: a folder that is new, or that goes altogether, moves whole.
type layout struct {
	w       *Workspace
	steps   []step
	folders []string     // to be made below the transaction's folder, outermost first
	files   []stagedFile // to be written there
	made    []string     // folders that come into being
	removed map[string]fs.FileMode
	missing map[string]bool
	groups  map[string]string // a new folder, to its staged name
}

func (c *change) staged(name string) stagedFile {
	return stagedFile{name: name, content: c.new.Content, mode: c.new.Mode, exact: c.exact, from: c.from}
}

func (w *Workspace) arrange(changes []change, removable func(dir string) bool) (*layout, error) {
	l := &layout{w: w, removed: map[string]fs.FileMode{}, missing: map[string]bool{}, groups: map[string]string{}}
	for i := range changes {
		if changes[i].new != nil {
			l.put(&changes[i])
		}
	}
	r := newRemoval(l, changes, removable)
	return l, r.arrange(changes)
}

func (l *layout) put(c *change) {
	top := l.topMissing(c.path)
	if top == "" {
		s := step{Op: put, Path: c.path, Staged: l.name(stagedNew), NewHash: digest(c.new.Content)}
		if c.old != nil {
			s.OldHash = digest(c.old.Content)
			s.Backup = path.Join(backup, path.Base(s.Staged))
		}
		l.steps = append(l.steps, s)
		l.files = append(l.files, c.staged(s.Staged))
		return
	}
	group, known := l.groups[top]
	if !known {
		group = l.name(stagedNew)
		l.groups[top] = group
		l.steps = append(l.steps, step{Op: put, Path: top, Staged: group})
	}
	l.stageFolder(top, group, path.Dir(c.path))
	l.files = append(l.files, c.staged(path.Join(group, strings.TrimPrefix(c.path, top))))
}

// name is a new name below the transaction's folder.
func (l *layout) name(folder string) string { return path.Join(folder, strconv.Itoa(len(l.steps))) }

// topMissing is the outermost folder of a path that does not exist, or "".
func (l *layout) topMissing(name string) string {
	for i := range name {
		if name[i] != '/' {
			continue
		}
		dir := name[:i]
		missing, known := l.missing[dir]
		if !known {
			missing = !l.w.disk.exists(dir)
			l.missing[dir] = missing
		}
		if missing {
			return dir
		}
	}
	return ""
}

// stageFolder makes a folder of the group, and those above it.
func (l *layout) stageFolder(top, group, dir string) {
	if slices.Contains(l.made, dir) {
		return
	}
	if dir != top {
		l.stageFolder(top, group, path.Dir(dir))
	}
	l.made = append(l.made, dir)
	l.folders = append(l.folders, path.Join(group, strings.TrimPrefix(dir, top)))
}

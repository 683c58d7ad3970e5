package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// house is the folder for transactions, undo and locks.
const house = ".trellis"

// RefusedError lists why nothing was written.
type RefusedError struct {
	// Doing says what was asked for: "apply the plan".
	Doing string
	// Problems name a path, what is wrong with it, and what to do.
	Problems []error
}

func (e *RefusedError) Error() string {
	if len(e.Problems) == 1 {
		return fmt.Sprintf("%s: nothing was written: %v", e.Doing, e.Problems[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: nothing was written, for %d reasons:", e.Doing, len(e.Problems))
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %v", p)
	}
	return b.String()
}

// Unwrap gives the problems to errors.Is and errors.As.
func (e *RefusedError) Unwrap() []error { return e.Problems }

func linkError(path string) error {
	return fmt.Errorf("%s is a symbolic link, which scaffold does not follow; put a real file or folder there", path)
}

func notFileError(mode fs.FileMode) error {
	kind := "a device"
	switch {
	case mode.IsDir():
		kind = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a named pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeSymlink != 0:
		kind = "a symbolic link"
	}
	return fmt.Errorf("it is %s, not a file; move it away", kind)
}

// validPath refuses what leaves the root and what is not scaffold's to touch.
func validPath(name string) error {
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%q is not a path inside the platform", name)
	}
	switch top, _, _ := strings.Cut(name, "/"); strings.ToLower(top) {
	case house, ".git":
		return fmt.Errorf("%s is inside %s, where no generated file may be", name, top)
	}
	return nil
}

// plainFolders makes sure that no folder on the way to a path is a link.
func (w *Workspace) plainFolders(name string) error {
	dir := path.Dir(name)
	if dir == "." {
		return nil
	}
	w.mu.Lock()
	err, known := w.folders[dir]
	w.mu.Unlock()
	if known {
		return err
	}
	if err = w.plainFolders(dir); err == nil {
		info, lookErr := w.root.Lstat(dir)
		switch {
		case errors.Is(lookErr, fs.ErrNotExist):
			return nil // it may come into being later
		case lookErr != nil:
			err = fmt.Errorf("look at %s: %w", dir, cause(lookErr))
		case info.Mode()&fs.ModeSymlink != 0:
			err = linkError(dir)
		}
	}
	w.mu.Lock()
	w.folders[dir] = err
	w.mu.Unlock()
	return err
}

// A guard checks, before anything is written, that every change can be made.
type guard struct {
	w       *Workspace
	device  uint64
	folders map[string]error
	going   map[string]bool                // files that the changes delete
	names   map[string]map[string][]string // folder, then folded name, to the names on the disk or in the plan
}

func (w *Workspace) newGuard(changes []change) (*guard, error) {
	info, err := w.root.Lstat(house)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", house, cause(err))
	}
	g := &guard{
		w: w, device: device(info),
		folders: map[string]error{}, going: map[string]bool{}, names: map[string]map[string][]string{},
	}
	for i := range changes {
		if changes[i].new == nil {
			g.going[changes[i].path] = true
		}
	}
	return g, nil
}

// check refuses a change that would follow a link, leave the root or the file system, hit something that is not a file,
// write what is read-only, or make two names that some file systems take for one. It gives what is there now.
func (g *guard) check(c *change) (*plan.Disk, error) {
	if err := validPath(c.path); err != nil {
		return nil, err
	}
	if err := g.folder(path.Dir(c.path)); err != nil {
		return nil, err
	}
	if err := g.distinct(c.path); err != nil {
		return nil, err
	}
	now, err := g.w.Read(c.path)
	if err == nil && now != nil && readOnly(g.w.path, c.path, now.Mode) {
		err = fmt.Errorf("%s is read-only; make it writable with: chmod u+w %s", c.path, c.path)
	}
	return now, err
}

// folder checks a folder and those above it; one that is missing will be made.
func (g *guard) folder(dir string) error {
	if err, known := g.folders[dir]; known {
		return err
	}
	err := g.lookAtFolder(dir)
	g.folders[dir] = err
	return err
}

func (g *guard) lookAtFolder(dir string) error {
	if dir != "." {
		if err := g.folder(path.Dir(dir)); err != nil {
			return err
		}
		if err := g.distinct(dir); err != nil {
			return err
		}
	}
	info, err := g.w.root.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at %s: %w", dir, cause(err))
	case info.Mode()&fs.ModeSymlink != 0:
		return linkError(dir)
	case !info.IsDir():
		return fmt.Errorf("%s is a file, but a folder is needed there; move it away", dir)
	case readOnly(g.w.path, dir, info.Mode()):
		return fmt.Errorf("the folder %s is read-only; make it writable with: chmod u+w %s", dir, dir)
	case device(info) != g.device:
		return fmt.Errorf("%s is on another file system than %s, so it cannot be written in one step; unmount it", dir, house)
	}
	return nil
}

// distinct refuses a name that differs from its neighbour's only in case or in how accents are encoded.
func (g *guard) distinct(name string) error {
	dir, own := path.Split(name)
	dir = path.Clean(dir)
	names, known := g.names[dir]
	if !known {
		entries, err := g.w.ReadDir(dir)
		if err != nil {
			return err
		}
		names = make(map[string][]string, len(entries))
		for _, entry := range entries {
			if !g.going[path.Join(dir, entry.Name())] {
				names[fold(entry.Name())] = append(names[fold(entry.Name())], entry.Name())
			}
		}
		g.names[dir] = names
	}
	alike := names[fold(own)]
	if slices.Contains(alike, own) {
		return nil
	}
	if len(alike) > 0 {
		return fmt.Errorf("%s and %s are one name on some file systems; rename one", name, path.Join(dir, alike[0]))
	}
	names[fold(own)] = []string{own}
	return nil
}

func fold(name string) string { return strings.ToLower(norm.NFC.String(name)) }

package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// commit does the steps of a staged transaction. Nothing is written when a file in its way has changed; when a step
// fails, those before it are taken back.
func (w *Workspace) commit(folder string, j *journal) error {
	if problems := w.obstacles(folder, j); len(problems) > 0 {
		return errors.Join(&RefusedError{Doing: "write the files", Problems: problems}, w.discard(folder))
	}
	// A single rename is its own mark.
	if j.renames() > 1 {
		if err := w.mark(folder, prepared, committed); err != nil {
			return errors.Join(fmt.Errorf("nothing was written: %w", err), w.discard(folder))
		}
	}
	for i := range j.Steps {
		if err := w.disk.step(folder, &j.Steps[i]); err != nil {
			err = fmt.Errorf("write %s: %w", j.Steps[i].Path, cause(err))
			return errors.Join(err, w.takeBack(folder, j))
		}
	}
	return w.finish(folder, j)
}

// mark moves a journal on, durably.
func (w *Workspace) mark(folder, from, to string) error {
	if err := w.disk.rename(path.Join(folder, from), path.Join(folder, to)); err != nil {
		return fmt.Errorf("mark the journal: %w", cause(err))
	}
	if err := w.disk.sync(folder); err != nil {
		return fmt.Errorf("mark the journal: %w", cause(err))
	}
	return nil
}

// done reports whether a step was done.
func (d *disk) done(folder string, s *step) bool {
	switch s.Op {
	case put:
		return !d.exists(path.Join(folder, s.Staged))
	case take:
		return d.exists(path.Join(folder, s.Staged))
	default:
		return !d.exists(s.Path)
	}
}

// step does a step unless it was done before.
func (d *disk) step(folder string, s *step) error {
	if d.done(folder, s) {
		return nil
	}
	switch s.Op {
	case put:
		return d.rename(path.Join(folder, s.Staged), s.Path)
	case take:
		err := d.rename(s.Path, path.Join(folder, s.Staged))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	default:
		return d.removeEmpty(s.Path)
	}
}

// obstacles are the reasons why steps that are not done cannot be done without a loss.
func (w *Workspace) obstacles(folder string, j *journal) []error {
	var problems []error
	for i := range j.Steps {
		s := &j.Steps[i]
		if w.disk.done(folder, s) {
			continue
		}
		if err := w.obstacle(s); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

func (w *Workspace) obstacle(s *step) error {
	switch {
	case s.Op == rmdir:
		return nil
	case s.Op == put && s.NewHash == "": // a folder
		if w.disk.exists(s.Path) {
			return fmt.Errorf("%s came into being meanwhile", s.Path)
		}
		return nil
	case s.Op == take && s.Files != nil:
		return w.otherThan(s.Path, s.Path, s.Files)
	}
	now, err := w.Read(s.Path)
	switch {
	case err != nil:
		return err
	case now == nil && s.OldHash == "":
		return nil
	case now == nil:
		return fmt.Errorf("%s was deleted meanwhile", s.Path)
	case digest(now.Content) != s.OldHash:
		return fmt.Errorf("%s was changed meanwhile", s.Path)
	}
	return nil
}

// otherThan finds what is in a folder besides the files that were expected there; name is what a person calls it.
func (w *Workspace) otherThan(folder, name string, files map[string]string) error {
	return fs.WalkDir(w.root.FS(), folder, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file := strings.TrimPrefix(at, folder+"/")
		content, err := w.root.ReadFile(at)
		if err != nil {
			return fmt.Errorf("read %s: %w", path.Join(name, file), cause(err))
		}
		if digest(content) != files[file] {
			return fmt.Errorf("%s was changed meanwhile", path.Join(name, file))
		}
		return nil
	})
}

// finish makes the steps durable, files the undo record, and closes the transaction.
func (w *Workspace) finish(folder string, j *journal) error {
	parents := map[string]bool{}
	for i := range j.Steps {
		parents[path.Dir(j.Steps[i].Path)] = true
	}
	dirs := make([]string, 0, len(parents))
	for dir := range parents {
		dirs = append(dirs, dir)
	}
	err := inParallel(context.Background(), len(dirs), func(i int) error { return w.disk.sync(dirs[i]) })
	if err == nil {
		err = w.file(folder, j)
	}
	if err == nil {
		err = w.rescue(folder, j)
	}
	if err != nil {
		return fmt.Errorf("the files are written, but not everything about them is recorded; any scaffold command will try again: %w", err)
	}
	if err := w.editIndex(folder, j.Index); err != nil {
		w.notice("git does not show the conflicts as unmerged: %v", err)
	}
	if err := w.discardFinished(folder); err != nil {
		w.notice("all is written, but not cleaned up yet: %v; the next command will", err)
	}
	return nil
}

// discardFinished removes the journal before what it speaks of.
func (w *Workspace) discardFinished(folder string) error {
	for _, name := range []string{prepared, committed, undoing} {
		if err := w.disk.remove(path.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("close the transaction: %w", cause(err))
		}
	}
	return w.discard(folder)
}

// file moves the undo record to its place, and the one that was used up out of it.
func (w *Workspace) file(folder string, j *journal) error {
	if j.TakesBack > 0 && w.disk.exists(recordFolder(j.TakesBack)) {
		if err := w.disk.rename(recordFolder(j.TakesBack), path.Join(folder, takenBack)); err != nil {
			return err
		}
	}
	if j.Undo > 0 && w.disk.exists(path.Join(folder, backup)) {
		if err := w.disk.mkdirAll(records); err != nil {
			return err
		}
		return w.disk.rename(path.Join(folder, backup), recordFolder(j.Undo))
	}
	return nil
}

// rescue keeps what a person put into a folder in the instant before it was taken.
func (w *Workspace) rescue(folder string, j *journal) error {
	for i := range j.Steps {
		s := &j.Steps[i]
		gone := path.Join(folder, s.Staged)
		if s.Op != take || s.Files == nil || !w.disk.exists(gone) || w.otherThan(gone, s.Path, s.Files) == nil {
			continue
		}
		to, err := w.keep(gone, s.Path)
		if err != nil {
			return err
		}
		w.notice("%s was changed by somebody else at the same moment; it is kept as %s", s.Path, to)
	}
	return nil
}

// keep moves something that cannot be where it was meant to be to a place of its own.
func (w *Workspace) keep(from, name string) (to string, err error) {
	to = path.Join(kept, name)
	for n := 2; w.disk.exists(to); n++ {
		to = path.Join(kept, fmt.Sprintf("%s.%d", name, n))
	}
	if err := w.disk.mkdirAll(path.Dir(to)); err != nil {
		return "", fmt.Errorf("keep %s: %w", name, cause(err))
	}
	if err := w.disk.rename(from, to); err != nil {
		return "", fmt.Errorf("keep %s: %w", name, cause(err))
	}
	return to, nil
}

// takeBack undoes the steps that were done, the last first, and closes the transaction. It may be repeated.
func (w *Workspace) takeBack(folder string, j *journal) error {
	if w.disk.exists(path.Join(folder, committed)) {
		if err := w.mark(folder, committed, undoing); err != nil {
			return err
		}
	}
	for _, s := range slices.Backward(j.Steps) {
		if err := w.backStep(folder, &s); err != nil {
			return fmt.Errorf("take %s back: %w; any scaffold command will try again", s.Path, cause(err))
		}
	}
	return w.discardFinished(folder)
}

func (w *Workspace) backStep(folder string, s *step) error {
	if !w.disk.done(folder, s) {
		return nil
	}
	switch {
	case s.Op == rmdir:
		if err := w.disk.mkdir(s.Path, s.Mode); err != nil {
			return err
		}
		return w.disk.chmod(s.Path, s.Mode)
	case s.Op == take:
		return w.disk.rename(path.Join(folder, s.Staged), s.Path)
	case s.Backup == "":
		return w.disk.rename(s.Path, path.Join(folder, s.Staged))
	}
	now, err := w.Read(s.Path)
	if err != nil || now == nil || digest(now.Content) != s.NewHash {
		return err // it is back already, or somebody has edited it
	}
	return w.disk.rename(path.Join(folder, s.Backup), s.Path)
}

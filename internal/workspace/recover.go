package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"
)

// finishing bounds the wait for a committer that is at work.
const finishing = 10 * time.Second

// Recover finishes or discards what an interrupted command left; Open calls it. While another command is at work it
// leaves that command's transaction alone, and waits for one that is being committed.
func (w *Workspace) Recover() error {
	left, underway, err := w.leftovers()
	if err != nil || len(left) == 0 {
		return err
	}
	wait := time.Duration(0)
	if underway {
		wait = finishing
	}
	lock, err := w.lock(context.Background(), "recover", wait)
	var locked *LockedError
	if errors.As(err, &locked) && !underway {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(w.recoverAll(), lock.Close())
}

// leftovers lists the transactions' folders, and whether one was being committed.
func (w *Workspace) leftovers() (folders []string, underway bool, err error) {
	entries, err := w.ReadDir(transactions)
	for _, entry := range entries {
		folder := path.Join(transactions, entry.Name())
		folders = append(folders, folder)
		underway = underway || w.disk.exists(path.Join(folder, committed)) || w.disk.exists(path.Join(folder, undoing))
	}
	return folders, underway, err
}

// recoverAll recovers every transaction. The caller holds the lock.
func (w *Workspace) recoverAll() error {
	folders, _, err := w.leftovers()
	for _, folder := range folders {
		if err := w.recoverOne(folder); err != nil {
			return err
		}
	}
	return err
}

func (w *Workspace) recoverOne(folder string) error {
	for _, name := range []string{undoing, committed, prepared} {
		text, err := w.root.ReadFile(path.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("recover an interrupted command: %w", err)
		}
		j, err := parseJournal(text)
		switch {
		case err != nil && name == prepared: // the crash came while it was written
			return w.discard(folder)
		case err != nil:
			return fmt.Errorf("recover an interrupted command: %s is damaged: %w; look over the tree with git status, then delete the folder %s",
				path.Join(folder, name), err, folder)
		case name == undoing:
			return w.takeBack(folder, j)
		case name == prepared && (j.renames() != 1 || !w.anyDone(folder, j)):
			return w.discard(folder)
		}
		return w.resume(folder, j)
	}
	return w.discard(folder)
}

func (w *Workspace) anyDone(folder string, j *journal) bool {
	for i := range j.Steps {
		if s := &j.Steps[i]; s.Op != rmdir && w.disk.done(folder, s) {
			return true
		}
	}
	return false
}

// resume does the steps that are missing. What a person did since then stays: when no step was done, nothing will be;
// otherwise the rendered file is put aside.
func (w *Workspace) resume(folder string, j *journal) error {
	if !w.anyDone(folder, j) {
		if problems := w.obstacles(folder, j); len(problems) > 0 {
			w.notice("%q had been interrupted, and is not finished because %v; run it again", j.Command, problems[0])
			return w.discardFinished(folder)
		}
	}
	for i := range j.Steps {
		s := &j.Steps[i]
		if w.disk.done(folder, s) {
			continue
		}
		if err := w.obstacle(s); err != nil {
			if err := w.leaveAlone(folder, j.Command, s, err); err != nil {
				return err
			}
			continue
		}
		if err := w.disk.step(folder, s); err != nil {
			return fmt.Errorf("finish the interrupted %q: write %s: %w; any scaffold command will try again", j.Command, s.Path, cause(err))
		}
	}
	w.notice("%q had been interrupted; it is finished now", j.Command)
	return w.finish(folder, j)
}

// leaveAlone skips a step that would lose what a person did; what was to be put there is kept aside.
func (w *Workspace) leaveAlone(folder, command string, s *step, why error) error {
	w.notice("%q had been interrupted; %s is left as it is: %v", command, s.Path, why)
	if s.Op != put {
		return nil
	}
	to, err := w.keep(path.Join(folder, s.Staged), s.Path)
	if err != nil {
		return err
	}
	w.notice("what was to be put there is kept as %s", to)
	return nil
}

package workspace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/internal/plan"
)

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// A request is a set of changes to be made together.
type request struct {
	doing     string // "apply the plan"
	command   string
	changes   []change
	removable func(dir string) bool  // whether a folder goes once it is empty
	modes     map[string]fs.FileMode // of folders that are made again
	undoable  bool                   // whether undo can take it back
	takesBack int                    // the undo record that is used up
	restore   []indexLine
}

// A transaction carries a request out. Everything up to commit happens below its own folder.
type transaction struct {
	w      *Workspace
	req    *request
	folder string
	layout *layout
	files  []stagedFile
	record record
	j      journal
}

// transact makes the changes of a request all together, or none of them. The caller holds the lock.
func (w *Workspace) transact(ctx context.Context, lock *os.File, req *request) error {
	if err := w.admit(req); err != nil {
		return err
	}
	l, err := w.arrange(req.changes, req.removable)
	if err != nil {
		return fmt.Errorf("%s: %w", req.doing, err)
	}
	t := &transaction{w: w, req: req, layout: l, files: l.files, folder: path.Join(transactions, strconv.Itoa(os.Getpid()))}
	t.j = journal{Version: journalVersion, Command: req.command, Steps: l.steps, TakesBack: req.takesBack}
	t.record = record{Version: recordVersion, Command: req.command, Made: l.made, Removed: l.removed}

	c := w.committerFor(&t.j, lock) // starts while we stage
	defer c.abandon()
	if err := t.stage(ctx); err != nil {
		return errors.Join(fmt.Errorf("%s: nothing was written: %w", req.doing, err), w.discard(t.folder))
	}
	return t.commit(c)
}

// admit checks that every change can be made, and that nobody changed a file since it was planned.
func (w *Workspace) admit(req *request) error {
	g, err := w.newGuard(req.changes)
	if err != nil {
		return err
	}
	refused := &RefusedError{Doing: req.doing}
	for i := range req.changes {
		c := &req.changes[i]
		now, err := g.check(c)
		if err == nil {
			err = c.stillOld(now)
		}
		if err != nil {
			refused.Problems = append(refused.Problems, err)
		}
	}
	if len(refused.Problems) > 0 {
		return refused
	}
	return nil
}

func (c *change) stillOld(now *plan.Disk) error {
	switch {
	case c.old == nil && now != nil:
		return fmt.Errorf("%s came into being while the command ran; run it again", c.path)
	case c.old != nil && now == nil:
		return fmt.Errorf("%s was deleted while the command ran; run it again", c.path)
	case c.old != nil && string(c.old.Content) != string(now.Content):
		return fmt.Errorf("%s was changed while the command ran; run it again", c.path)
	}
	if c.old != nil {
		c.old.Mode = now.Mode
	}
	return nil
}

// A stagedFile is a file to be written below the transaction's folder.
type stagedFile struct {
	name    string
	content []byte
	mode    fs.FileMode
	exact   bool   // see change
	from    string // see change
}

// stage puts everything below the transaction's folder and makes it durable.
func (t *transaction) stage(ctx context.Context) error {
	folders, err := t.stageFolders()
	if err != nil {
		return err
	}
	if err := t.keepOld(); err != nil {
		return err
	}
	if err := t.stageIndex(); err != nil {
		return err
	}
	if err := t.stageRecord(); err != nil {
		return err
	}
	text, err := t.j.encode()
	if err != nil {
		return err
	}
	t.add(prepared, text)
	// One round of waiting for the disk: what is staged counts only once the journal is marked, or its one step done.
	if err := inParallel(ctx, len(t.files), t.stageFile); err != nil {
		return err
	}
	return inParallel(ctx, len(folders), func(i int) error { return t.w.disk.sync(folders[i]) })
}

func (t *transaction) stageFolders() ([]string, error) {
	d := &t.w.disk
	folders := []string{transactions, t.folder}
	for _, dir := range []string{stagedNew, stagedOld, backup} {
		folders = append(folders, path.Join(t.folder, dir))
		if err := d.mkdirAll(folders[len(folders)-1]); err != nil {
			return nil, err
		}
	}
	for i, dir := range t.layout.folders {
		dir = path.Join(t.folder, dir)
		folders = append(folders, dir)
		if err := d.mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		if mode, again := t.req.modes[t.layout.made[i]]; again {
			if err := d.chmod(dir, mode); err != nil {
				return nil, err
			}
		}
	}
	return folders, nil
}

func (t *transaction) add(name string, content []byte) {
	t.files = append(t.files, stagedFile{name: name, content: content, mode: 0o644})
}

func (t *transaction) stageFile(i int) error {
	f := &t.files[i]
	name := path.Join(t.folder, f.name)
	if f.from != "" {
		return t.w.disk.link(f.from, name, f.content, f.mode)
	}
	return t.w.disk.write(name, f.content, f.mode, f.exact)
}

// inParallel shares the waiting for the disk, which can write many small files in one go.
func inParallel(ctx context.Context, n int, do func(i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8 * runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(i)
		})
	}
	return g.Wait()
}

// keepOld gives every file that will be replaced or deleted a second name, for undo and for taking a step back.
func (t *transaction) keepOld() error {
	steps := map[string]string{}
	for i := range t.j.Steps {
		if s := &t.j.Steps[i]; s.Backup != "" {
			steps[s.Path] = s.Backup
		}
	}
	for i := range t.req.changes {
		c := &t.req.changes[i]
		item := recordItem{Path: c.path}
		if c.new != nil {
			item.NewHash = digest(c.new.Content)
		}
		if c.old != nil {
			name := steps[c.path]
			if name == "" {
				name = path.Join(backup, "deleted-"+strconv.Itoa(i))
			}
			item.Old, item.OldMode = path.Base(name), c.old.Mode
			if err := t.w.disk.link(c.path, path.Join(t.folder, name), c.old.Content, c.old.Mode); err != nil {
				return err
			}
		}
		t.record.Files = append(t.record.Files, item)
	}
	return nil
}

// stageIndex prepares what git's index shall say of conflicts.
func (t *transaction) stageIndex() error {
	t.j.Index.Restore = t.req.restore
	if !t.w.inRepository() {
		t.j.Index.Restore = nil
		return nil
	}
	for i := range t.req.changes {
		c := &t.req.changes[i]
		if c.conflict == nil {
			continue
		}
		before, err := t.w.indexNow(c.path)
		if err != nil {
			t.w.notice("%s is not marked as unmerged in git: %v", c.path, err)
			continue
		}
		if err := t.w.disk.mkdirAll(path.Join(t.folder, blobs)); err != nil {
			return err
		}
		t.record.Index = append(t.record.Index, before)
		edit := indexConflict{Path: c.path, Executable: c.new.Mode&0o111 != 0}
		for j, side := range [][]byte{c.conflict.Ancestor, c.conflict.Old, c.conflict.Theirs} {
			if side == nil {
				continue
			}
			edit.Sides[j] = path.Join(blobs, fmt.Sprintf("%d-%d", i, j+1))
			t.add(edit.Sides[j], side)
		}
		t.j.Index.Conflicts = append(t.j.Index.Conflicts, edit)
	}
	return nil
}

func (t *transaction) stageRecord() error {
	if !t.req.undoable {
		return nil
	}
	number, err := t.w.nextRecord()
	if err != nil {
		return err
	}
	t.j.Undo = number
	text, err := json.Marshal(t.record)
	if err != nil {
		return fmt.Errorf("write the undo record: %w", err)
	}
	t.add(path.Join(backup, recordFile), append(text, '\n'))
	return nil
}

// commit hands the staged transaction to the committer, or does its work when there is none.
func (t *transaction) commit(c *committer) error {
	var err error
	if c == nil {
		err = t.w.commit(t.folder, &t.j)
	} else {
		err = t.w.commitBy(c, t.folder, &t.j)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.req.doing, err)
	}
	return nil
}

// discard throws away what was staged.
func (w *Workspace) discard(folder string) error {
	if err := w.disk.removeAll(folder); err != nil {
		return fmt.Errorf("clean up %s: %w", folder, err)
	}
	return nil
}

package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// ErrNothingToUndo says that no command is left to be taken back.
var ErrNothingToUndo = errors.New("there is nothing to undo")

// Undone says what Undo took back.
type Undone struct {
	Command string
	// Plan is what was done to a person's files: create, update and delete, and keep for those that were left. Scaffold's own
	// records are left out.
	Plan *plan.Plan
}

// UndoOption is a person's wish for an undo.
type UndoOption int

// The wishes.
const (
	// KeepEdited takes back all but the files that were changed since.
	KeepEdited UndoOption = iota + 1
	// Again goes on to the command before the one that was taken back last.
	Again
)

// FurtherBackError refuses to take back a second command in a row: it may be old, and its result committed.
type FurtherBackError struct{ Command string }

func (e *FurtherBackError) Error() string {
	return fmt.Sprintf("the last command was taken back already; the one before it is %q", e.Command)
}

// EditedError says that a person changed a file after the command that is to be taken back.
type EditedError struct{ Path, How string }

func (e *EditedError) Error() string { return e.Path + " " + e.How }

// Undo takes the last applied plan back: contents, modes, and files and folders that it made. It refuses with a
// *RefusedError of *EditedErrors when a person changed some of the files since, and with a *FurtherBackError when the last
// command was taken back already. Like Apply it leaves the tree before or after.
func (w *Workspace) Undo(ctx context.Context, opts ...UndoOption) (*Undone, error) {
	numbers, err := w.recordNumbers()
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, ErrNothingToUndo
	}
	var undone *Undone
	err = w.locked(ctx, "scaffold undo", func(lock *os.File) error {
		undone, err = w.undoLast(ctx, lock, opts)
		return err
	})
	return undone, err
}

func (w *Workspace) undoLast(ctx context.Context, lock *os.File, opts []UndoOption) (*Undone, error) {
	u, err := w.undoRequest(opts)
	if err != nil {
		return nil, err
	}
	if err := w.markOlder(u.before); err != nil {
		return nil, err
	}
	if err := w.transact(ctx, lock, &u.request); err != nil {
		return nil, err
	}
	for _, a := range u.kept {
		if isRecord(a.Path) {
			w.notice("%s was changed since, and stays: run `scaffold sync`", a.Path)
		}
	}
	return u.undone(), nil
}

// PlanUndo says what Undo would take back, and changes nothing.
func (w *Workspace) PlanUndo(opts ...UndoOption) (*Undone, error) {
	u, err := w.undoRequest(opts)
	if err != nil {
		return nil, err
	}
	return u.undone(), nil
}

// Command is one that can be taken back.
type Command struct {
	Line string
	Time time.Time
	// Files are the paths that it wrote or deleted, without scaffold's own records.
	Files []string
	// Older is whether Undo needs Again to take it back once it is the last.
	Older bool
}

// Commands lists what can be taken back, the last one first.
func (w *Workspace) Commands() ([]Command, error) {
	numbers, err := w.recordNumbers()
	if err != nil {
		return nil, err
	}
	var all []Command
	for i, number := range slices.Backward(numbers) {
		r, err := w.loadRecord(number)
		if err != nil {
			return nil, err
		}
		info, err := w.root.Lstat(path.Join(recordFolder(number), recordFile))
		if err != nil {
			return nil, fmt.Errorf("look at the undo record: %w", cause(err))
		}
		c := Command{Line: r.Command, Time: info.ModTime(), Older: i < len(numbers)-1 || w.isOlder(number)}
		for _, item := range r.Files {
			if !isRecord(item.Path) {
				c.Files = append(c.Files, item.Path)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// markOlder notes that an undo has come down to a record: the next command is filed after it, without the mark.
func (w *Workspace) markOlder(number int) error {
	if number == 0 || w.isOlder(number) {
		return nil
	}
	if err := w.disk.write(path.Join(recordFolder(number), olderMark), nil, 0o644, false); err != nil {
		return fmt.Errorf("mark the undo record: %w", cause(err))
	}
	return nil
}

func (w *Workspace) isOlder(number int) bool {
	return w.disk.exists(path.Join(recordFolder(number), olderMark))
}

// A takingBack is a command that is about to be taken back.
type takingBack struct {
	request
	record *record
	before int           // the number of the record before it; 0 for none
	kept   []plan.Action // files that stay, since they were changed
}

func (u *takingBack) undone() *Undone {
	return &Undone{Command: u.record.Command, Plan: undoPlan(u.changes, u.kept)}
}

func (w *Workspace) undoRequest(opts []UndoOption) (*takingBack, error) {
	numbers, err := w.recordNumbers()
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, ErrNothingToUndo
	}
	number := numbers[len(numbers)-1]
	r, err := w.loadRecord(number)
	if err != nil {
		return nil, err
	}
	if w.isOlder(number) && !slices.Contains(opts, Again) {
		return nil, &FurtherBackError{r.Command}
	}
	u := &takingBack{record: r, request: request{
		doing:     fmt.Sprintf("undo %q", r.Command),
		command:   "scaffold undo",
		removable: func(dir string) bool { return slices.Contains(r.Made, dir) },
		modes:     r.Removed,
		takesBack: number,
		restore:   r.Index,
	}}
	if len(numbers) > 1 {
		u.before = numbers[len(numbers)-2]
	}
	return u, w.backChanges(u, slices.Contains(opts, KeepEdited))
}

func (w *Workspace) loadRecord(number int) (*record, error) {
	name := path.Join(recordFolder(number), recordFile)
	text, err := w.root.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the undo record: %w", err)
	}
	r, err := parseRecord(text)
	if err != nil {
		return nil, fmt.Errorf("the undo record %s is damaged: %w; the old contents lie beside it; delete its folder to go on", name, err)
	}
	return r, nil
}

// backChanges fills in the changes that bring the old contents back. A file that a person changed since is kept, or a problem.
func (w *Workspace) backChanges(u *takingBack, keepEdited bool) error {
	refused := &RefusedError{Doing: u.doing}
	for i := range u.record.Files {
		item := &u.record.Files[i]
		now, err := w.Read(item.Path)
		if err != nil {
			return err
		}
		if item.Old == "" && now == nil {
			continue // it was new, and is gone already
		}
		if how := item.edited(now); how != "" {
			if keepEdited {
				u.keep(item.Path, how, now)
			} else {
				refused.Problems = append(refused.Problems, &EditedError{item.Path, how})
			}
			continue
		}
		c := change{path: item.Path, old: now, exact: true}
		if item.Old != "" {
			c.from = path.Join(recordFolder(u.takesBack), item.Old)
			content, err := w.root.ReadFile(c.from)
			if err != nil {
				return fmt.Errorf("%s: read the old content: %w", u.doing, err)
			}
			c.new = &plan.Disk{Content: content, Mode: item.OldMode}
		}
		u.changes = append(u.changes, c)
	}
	if len(refused.Problems) > 0 {
		return refused
	}
	return nil
}

// edited says what a person did to the file since the command; empty for nothing.
func (i *recordItem) edited(now *plan.Disk) string {
	switch {
	case i.NewHash == "" && now != nil:
		return "was written again since"
	case i.NewHash != "" && now == nil:
		return "was deleted since"
	case i.NewHash != "" && digest(now.Content) != i.NewHash:
		return "was changed since"
	}
	return ""
}

// keep leaves a file as it is, in git's index too.
func (u *takingBack) keep(name, how string, now *plan.Disk) {
	a := plan.Action{Path: name, Op: plan.Keep, Reason: how}
	if now == nil {
		a.Op = plan.Skip
	} else {
		a.Old, a.New, a.Mode, a.OldMode = now.Content, now.Content, now.Mode, now.Mode
	}
	u.kept = append(u.kept, a)
	u.restore = slices.DeleteFunc(slices.Clone(u.restore), func(l indexLine) bool { return l.Path == name })
}

func undoPlan(changes []change, kept []plan.Action) *plan.Plan {
	p := &plan.Plan{Actions: slices.Clone(kept)}
	for _, c := range changes {
		a := plan.Action{Path: c.path, Op: plan.Update}
		if c.old != nil {
			a.Old, a.OldMode = c.old.Content, c.old.Mode
		}
		switch {
		case c.new == nil:
			a.Op = plan.Delete
		case c.old == nil:
			a.Op = plan.Create
		}
		if c.new != nil {
			a.New, a.Mode = c.new.Content, c.new.Mode
		}
		p.Actions = append(p.Actions, a)
	}
	p.Actions = slices.DeleteFunc(p.Actions, func(a plan.Action) bool { return isRecord(a.Path) })
	slices.SortFunc(p.Actions, func(a, b plan.Action) int { return strings.Compare(a.Path, b.Path) })
	return p
}

// isRecord reports whether a file is scaffold's own record of an owner.
func isRecord(name string) bool { return strings.Contains("/"+name, "/"+stateFolder+"/") }

package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// ErrNothingToUndo says that no command is left to be taken back.
var ErrNothingToUndo = errors.New("there is nothing to undo")

// Undone says what Undo took back.
type Undone struct {
	Command string
	// Plan is what was done to a person's files: create, update and delete. Scaffold's own records are left out.
	Plan *plan.Plan
}

// Undo takes the last applied plan back: contents, modes, and files and folders that it made. It refuses with a
// *RefusedError when a person changed one of the files since. Like Apply it leaves the tree before or after.
func (w *Workspace) Undo(ctx context.Context) (*Undone, error) {
	numbers, err := w.recordNumbers()
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, ErrNothingToUndo
	}
	var undone *Undone
	err = w.locked(ctx, "scaffold undo", func(lock *os.File) error {
		undone, err = w.undoLast(ctx, lock)
		return err
	})
	return undone, err
}

func (w *Workspace) undoLast(ctx context.Context, lock *os.File) (*Undone, error) {
	r, req, err := w.undoRequest()
	if err != nil {
		return nil, err
	}
	if err := w.transact(ctx, lock, req); err != nil {
		return nil, err
	}
	return &Undone{Command: r.Command, Plan: undoPlan(req.changes)}, nil
}

// PlanUndo says what Undo would take back, and changes nothing.
func (w *Workspace) PlanUndo() (*Undone, error) {
	r, req, err := w.undoRequest()
	if err != nil {
		return nil, err
	}
	return &Undone{Command: r.Command, Plan: undoPlan(req.changes)}, nil
}

func (w *Workspace) undoRequest() (*record, *request, error) {
	numbers, err := w.recordNumbers()
	if err != nil {
		return nil, nil, err
	}
	if len(numbers) == 0 {
		return nil, nil, ErrNothingToUndo
	}
	number := numbers[len(numbers)-1]
	r, err := w.loadRecord(number)
	if err != nil {
		return nil, nil, err
	}
	req := &request{
		doing:     fmt.Sprintf("undo %q", r.Command),
		command:   "scaffold undo",
		removable: func(dir string) bool { return slices.Contains(r.Made, dir) },
		modes:     r.Removed,
		takesBack: number,
		restore:   r.Index,
	}
	req.changes, err = w.backChanges(number, r, req.doing)
	return r, req, err
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

// backChanges are the changes that bring the old contents back; a file that a person changed since is a problem.
func (w *Workspace) backChanges(number int, r *record, doing string) ([]change, error) {
	var changes []change
	refused := &RefusedError{Doing: doing}
	for _, item := range r.Files {
		now, err := w.Read(item.Path)
		if err != nil {
			return nil, err
		}
		c := change{path: item.Path, old: now, exact: true}
		switch {
		case item.Old == "" && now == nil:
			continue // it was new, and is gone already
		case item.NewHash == "" && now != nil:
			refused.Problems = append(refused.Problems, fmt.Errorf("%s was written again since; move it away", item.Path))
			continue
		case item.NewHash != "" && now == nil:
			refused.Problems = append(refused.Problems, fmt.Errorf("%s was deleted since", item.Path))
			continue
		case item.NewHash != "" && digest(now.Content) != item.NewHash:
			refused.Problems = append(refused.Problems, fmt.Errorf("%s was changed since; undo that change first, or keep it", item.Path))
			continue
		}
		if item.Old != "" {
			c.from = path.Join(recordFolder(number), item.Old)
			content, err := w.root.ReadFile(c.from)
			if err != nil {
				return nil, fmt.Errorf("%s: read the old content: %w", doing, err)
			}
			c.new = &plan.Disk{Content: content, Mode: item.OldMode}
		}
		changes = append(changes, c)
	}
	if len(refused.Problems) > 0 {
		return nil, refused
	}
	return changes, nil
}

func undoPlan(changes []change) *plan.Plan {
	p := &plan.Plan{}
	for _, c := range changes {
		if strings.Contains("/"+c.path, "/"+stateFolder+"/") {
			continue
		}
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
	return p
}

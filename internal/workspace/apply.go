package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// Meta is what Apply records beside the files.
type Meta struct {
	// Command is what a person typed, shown by undo: "scaffold new greeter".
	Command string
	// TemplateVersion is recorded in the state of every owner in the plan.
	TemplateVersion string
	// Inputs are recorded in the state of the owner that is the key.
	Inputs map[string]json.RawMessage
}

// Apply makes the tree as planned, or leaves it as it was; there is no state between, whenever the process is killed. A
// file that changed since the plan was made, a link, a read-only file and the like refuse the whole plan with a
// *RefusedError. When another command is writing it fails with a *LockedError.
//
// An identical file keeps its time of change. What is replaced is kept for Undo.
func (w *Workspace) Apply(ctx context.Context, p *plan.Plan, meta Meta) error {
	changes := fileChanges(p)
	stateChanges, err := w.stateChanges(p, meta)
	if err != nil {
		return err
	}
	changes = append(changes, stateChanges...)
	if len(changes) == 0 {
		w.remember(p)
		return nil
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.path, b.path) })
	err = w.locked(ctx, meta.Command, func(lock *os.File) error {
		return w.transact(ctx, lock, &request{
			doing:     "apply the plan",
			command:   meta.Command,
			changes:   changes,
			removable: func(dir string) bool { return strings.Contains(dir, "/") },
			undoable:  true,
		})
	})
	if err != nil {
		return err
	}
	w.remember(p)
	return nil
}

// locked runs a writing command with the lock held and nothing left over.
func (w *Workspace) locked(ctx context.Context, command string, do func(lock *os.File) error) (err error) {
	if err := w.settle(); err != nil {
		return err
	}
	lock, err := w.lock(ctx, command, w.lockWait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := w.recoverAll(); err != nil {
		return err
	}
	return do(lock)
}

func fileChanges(p *plan.Plan) []change {
	var changes []change
	for i := range p.Actions {
		a := &p.Actions[i]
		if !a.Writes() {
			continue
		}
		c := change{path: a.Path, exact: a.Op != plan.Create}
		if a.Old != nil {
			c.old = &plan.Disk{Content: a.Old, Mode: a.OldMode}
		}
		if a.New != nil {
			c.new = &plan.Disk{Content: a.New, Mode: a.Mode}
		}
		if a.Op == plan.Conflict {
			c.conflict = a
		}
		changes = append(changes, c)
	}
	return changes
}

// stateChanges are the changes to the states of the plan's owners.
func (w *Workspace) stateChanges(p *plan.Plan, meta Meta) ([]change, error) {
	actions := map[string][]*plan.Action{}
	for i := range p.Actions {
		actions[p.Actions[i].Owner] = append(actions[p.Actions[i].Owner], &p.Actions[i])
	}
	var changes []change
	for _, owner := range slices.Sorted(maps.Keys(actions)) {
		before, err := w.State(owner)
		if err != nil {
			return nil, err
		}
		after := before.after(actions[owner])
		if meta.TemplateVersion != "" {
			after.TemplateVersion = meta.TemplateVersion
		}
		if inputs, given := meta.Inputs[owner]; given {
			after.Inputs = inputs
		}
		more, err := w.stateChange(owner, before, after)
		if err != nil {
			return nil, err
		}
		changes = append(changes, more...)
	}
	return changes, nil
}

func (s *State) after(actions []*plan.Action) *State {
	after := &State{TemplateVersion: s.TemplateVersion, Inputs: s.Inputs, Files: maps.Clone(s.Files)}
	for _, a := range actions {
		if a.Base == nil {
			delete(after.Files, a.Path)
		} else {
			after.Files[a.Path] = *a.Base
		}
	}
	return after
}

// stateChange compares an owner's state with what lies on the disk.
func (w *Workspace) stateChange(owner string, before, after *State) ([]change, error) {
	var changes []change
	add := func(name string, content []byte) error {
		old, err := w.Read(name)
		if err != nil {
			return err
		}
		c := change{path: name, old: old, exact: old != nil}
		switch {
		case content == nil && old == nil, content != nil && old != nil && bytes.Equal(old.Content, content):
			return nil
		case content != nil && old != nil:
			c.new = &plan.Disk{Content: content, Mode: old.Mode}
		case content != nil:
			c.new = &plan.Disk{Content: content, Mode: 0o644}
		}
		changes = append(changes, c)
		return nil
	}
	var text []byte
	if len(after.Files) > 0 {
		var err error
		if text, err = after.encode(owner); err != nil {
			return nil, err
		}
	}
	if err := add(statePath(owner), text); err != nil {
		return nil, err
	}
	for _, file := range slices.Sorted(maps.Keys(after.Files)) {
		if base := after.Files[file]; base.Class == plan.Merged && base.Content != nil && !bytes.Equal(base.Content, before.Files[file].Content) {
			if err := add(basePath(owner, file), base.Content); err != nil {
				return nil, err
			}
		}
	}
	for _, file := range slices.Sorted(maps.Keys(before.Files)) {
		if before.Files[file].Class == plan.Merged && after.Files[file].Class != plan.Merged {
			if err := add(basePath(owner, file), nil); err != nil {
				return nil, err
			}
		}
	}
	return changes, nil
}

// Remove plans the removal of an owner's folder: pristine files go; edited files and files of others stay, and say so.
func (w *Workspace) Remove(owner string) (*plan.Plan, error) {
	state, err := w.State(owner)
	if err != nil {
		return nil, err
	}
	p, err := plan.Build(state.Files, w, nil, plan.Options{Owner: owner, Removing: true})
	if err != nil {
		return nil, err
	}
	others, err := w.others(owner, state)
	if err != nil {
		return nil, err
	}
	if len(p.Actions) == 0 && len(others.Actions) == 0 {
		return nil, fmt.Errorf("remove %s: there is no such folder", owner)
	}
	return plan.Join(p, others)
}

// others keeps every file in an owner's folder that its state does not know.
func (w *Workspace) others(owner string, state *State) (*plan.Plan, error) {
	p := &plan.Plan{}
	err := fs.WalkDir(w.root.FS(), owner, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if name == path.Join(owner, stateFolder) {
			return fs.SkipDir
		}
		if _, known := state.Files[name]; entry.IsDir() || known {
			return nil
		}
		p.Actions = append(p.Actions, plan.Action{Path: name, Op: plan.Keep, Owner: owner, Reason: "not made by scaffold"})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("remove %s: %w", owner, err)
	}
	return p, nil
}

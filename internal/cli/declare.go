package cli

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/render"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// change is what a command makes of the declarations of one service.
type change struct {
	name string
	// before and after are the platform as it is and as it will be.
	before, after *spec.Model
	// seeds are declarations that come with the change, and edits those that it alters.
	seeds []plan.File
	edits []plan.Action
	// inputs of a new service; nil keeps the recorded ones.
	inputs *render.Inputs
}

// foresee reads the platform as it will be with these files, and without a folder.
func (s *session) foresee(files map[string][]byte, without string) (*spec.Model, error) {
	m, err := spec.Load(overlay{below: s.FS(), files: files, hidden: without})
	return m, refuse(err)
}

// prove refuses what can't be right; nothing is written before.
func prove(m *spec.Model, files []plan.File) error { return refuse(lint.Check(m, files).Err()) }

// refusal is an error that stopped a command before it wrote anything.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(err error) error {
	if err == nil {
		return nil
	}
	return &refusal{err}
}

// plan is one plan for the declarations and all that follows from them, for the service and its neighbours. The change is proven.
func (s *session) plan(ctx context.Context, c change) (*plan.Plan, error) {
	// What can't be right is said before anything is rendered: templates rely on it.
	if err := prove(c.after, nil); err != nil {
		return nil, err
	}
	around := neighbours(c.after, c.name)
	if c.before != nil {
		around = append(around, neighbours(c.before, c.name)...)
	}
	var own, others rendered
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		own, err = s.followChanged(c)
		return err
	})
	group.Go(func() (err error) {
		others, err = s.followNeighbours(ctx, c.after, around)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	platform, err := s.followServices(c.after)
	if err != nil {
		return nil, err
	}
	if err := refuseEdited(own.plan, c.name); err != nil {
		return nil, err
	}
	all, err := join(own, others, platform, rendered{plan: &plan.Plan{Actions: c.edits}})
	if err != nil {
		return nil, err
	}
	return all.plan, prove(c.after, all.files)
}

// refuseEdited refuses a change that follows through to files that scaffold owns and a person edited: half of it would be
// between conflict markers, in files that a cluster is given.
func refuseEdited(p *plan.Plan, service string) error {
	var problems spec.Problems
	for _, a := range p.Conflicts() {
		if a.Class == plan.Owned && a.Base != nil {
			problems.Add(spec.Position{File: a.Path}, "say what you need in a declaration, take the edit out with `"+mendEdited(service, a.Path)+"`, and run this again",
				"it is edited, though scaffold owns it, and would have to change")
		}
	}
	return refuse(problems.Err())
}

// mendEdited is the command line that makes files of scaffold's own as they should be again, whatever was written into them.
func mendEdited(service string, files ...string) string {
	line := "rm"
	for _, file := range files {
		line += " " + shell(file)
	}
	line += " && scaffold sync"
	if service != "" {
		line += " " + shell(service)
	}
	return line + " --restore"
}

// followChanged plans what follows for the changed service itself.
func (s *session) followChanged(c change) (rendered, error) {
	o, err := s.owner(c.after.Service(c.name))
	if err != nil {
		return rendered{}, err
	}
	if c.inputs != nil {
		o.inputs = *c.inputs
	}
	return s.followOne(c.after, o, c.seeds, plan.Options{})
}

// followNeighbours plans what changes for other services. A neighbour with edits that stand in the way is left to sync: nobody
// asked about it now.
func (s *session) followNeighbours(ctx context.Context, m *spec.Model, names []string) (rendered, error) {
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return m.Service(name) == nil })
	if len(names) == 0 {
		return rendered{plan: new(plan.Plan)}, nil
	}
	all, err := s.follow(ctx, m, names, plan.Options{})
	if err != nil {
		return rendered{}, err
	}
	settle(all.plan)
	return all, nil
}

// settle leaves out of a plan for others, or for the platform, what a person has to look at: nobody asked about it now. What stays
// unchanged is recorded, so that the next sync finds nothing to do and undo takes back this command, not that one.
func settle(p *plan.Plan) {
	p.Actions = slices.DeleteFunc(p.Actions, func(a plan.Action) bool {
		return a.Op == plan.Conflict || a.Op == plan.Skip || a.Op == plan.Keep && a.Class == plan.Owned
	})
}

// edit is the action that changes a declaration. That is a person's file, so what is recorded of it stays as it is.
func (s *session) edit(o owner, name string, content []byte) (plan.Action, error) {
	disk, err := s.Read(name)
	if err != nil {
		return plan.Action{}, err
	}
	if disk == nil {
		return plan.Action{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	a := plan.Action{
		Path: name, Op: plan.Update, Class: plan.Once, Owner: o.service.Dir,
		Old: disk.Content, New: content, Mode: disk.Mode.Perm(), OldMode: disk.Mode.Perm(),
	}
	if bytes.Equal(a.Old, a.New) {
		a.Op = plan.Identical
	}
	if b, known := o.state.Files[name]; known {
		a.Base = &b
	}
	return a, nil
}

// contents are the files of seeds and edits by path, for foresee.
func contents(seeds []plan.File, edits []plan.Action) map[string][]byte {
	out := make(map[string][]byte, len(seeds)+len(edits))
	for _, f := range seeds {
		out[f.Path] = f.Content
	}
	for _, a := range edits {
		out[a.Path] = a.New
	}
	return out
}

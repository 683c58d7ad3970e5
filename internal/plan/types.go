// Package plan decides what happens to each file: from what was rendered last (the base), what is on the disk, and what
// is rendered now, it makes one list of actions. Dry runs print that list and real runs apply it; nothing else decides.
//
//	p, err := plan.Build(state.Files, disk, files, plan.Options{Owner: "services/orders", Version: "v1.4.0"})
//	p.Print(os.Stdout, plan.Look{})
//
// It writes nothing: package workspace applies a plan.
package plan

import (
	"bytes"
	"io/fs"
)

// Class says who owns a generated file.
type Class string

// The classes of a file.
const (
	Owned  Class = "owned"  // regenerated; edits are drift
	Merged Class = "merged" // three-way merged with a person's edits
	Once   Class = "once"   // rendered anew until a person edits it, then the person's
)

// File is a rendered file.
type File struct {
	Path     string // relative to the platform's root, with slashes
	Content  []byte
	Mode     fs.FileMode
	Class    Class
	Template string // name in the template set, for explain
	// InputHash identifies what the content was made from, so that expensive files need not be made again; may be empty.
	InputHash string
	// Frozen files are rendered for a path once and then left for good: a migration that was applied must never change.
	Frozen bool
	// Provides names a Go method, "Handler.CreateOrder", or a function: a once file is not seeded when its folder already
	// declares it.
	Provides string
}

// Base is what the last run rendered for a path.
type Base struct {
	Class     Class
	Hash      string // of the content, by Hash
	Content   []byte // only for merged files
	Mode      fs.FileMode
	Template  string
	InputHash string
	Frozen    bool
}

// Disk is what lies at a path now. A nil Disk means nothing does.
type Disk struct {
	Content []byte
	Mode    fs.FileMode
}

// Op is what happens to a file.
type Op string

// The words for a file, as printed.
const (
	Create    Op = "create"
	Update    Op = "update"
	Merge     Op = "merge"
	Conflict  Op = "conflict"
	Delete    Op = "delete"
	Keep      Op = "keep"
	Skip      Op = "skip"
	Identical Op = "identical"
)

// Ops are all words, in the order of a summary.
var Ops = []Op{Create, Update, Merge, Conflict, Delete, Keep, Skip, Identical}

// Action is the decision about one path.
type Action struct {
	Path   string
	Op     Op
	Class  Class
	Reason string // why, in a few words; empty when the word says it all
	// Owner is the folder whose state records the path, such as "services/orders"; empty for the platform's own.
	Owner string
	// Old is the disk's content, nil when there is none; New is what will be there, nil for delete.
	Old, New []byte
	// Mode is what the file's mode will be, OldMode what it is now.
	Mode, OldMode fs.FileMode
	// Base is the state to be recorded for the path; nil forgets it.
	Base *Base
	// Ancestor and Theirs are the other two sides of a conflict whose markers stand in New; Ancestor may be unknown.
	Ancestor, Theirs []byte
	// Wanted is what a frozen file would be, were it rendered now; nil when that is what it is.
	Wanted []byte
}

// Writes reports whether the action changes the file. A conflict does when markers are written into the file.
func (a *Action) Writes() bool {
	switch a.Op {
	case Create, Update, Merge, Delete:
		return true
	case Conflict:
		return !bytes.Equal(a.Old, a.New)
	}
	return false
}

// Plan is the whole of a command's effect on files, sorted by path.
type Plan struct {
	Actions []Action
}

// Changes reports whether applying the plan would change any file.
func (p *Plan) Changes() bool {
	for i := range p.Actions {
		if p.Actions[i].Writes() {
			return true
		}
	}
	return false
}

// Conflicts are the actions that leave a conflict for a person.
func (p *Plan) Conflicts() []Action {
	var out []Action
	for _, a := range p.Actions {
		if a.Op == Conflict {
			out = append(out, a)
		}
	}
	return out
}

// Count is the number of actions with that word.
func (p *Plan) Count(op Op) int {
	n := 0
	for i := range p.Actions {
		if p.Actions[i].Op == op {
			n++
		}
	}
	return n
}

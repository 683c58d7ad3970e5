// Package workspace is the disk: it reads a platform's files and state, applies a plan so that the tree is either before
// or after and never between, and takes the last command back.
package workspace

import (
	"context"
	"encoding/json"
	"io/fs"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// Marker is the file that marks a platform's root.
const Marker = "platform.yaml"

// Workspace is an open platform root. It implements plan.Tree.
type Workspace struct{}

// Find returns the platform's root: dir or the nearest folder above it that has a platform.yaml.
func Find(dir string) (string, error) { return dir, nil }

// Open opens a platform's root, and first finishes or discards what an interrupted command left.
func Open(root string) (*Workspace, error) { return &Workspace{}, nil }

// Close releases the root.
func (w *Workspace) Close() error { return nil }

// Root is the root's absolute path.
func (w *Workspace) Root() string { return "" }

// FS reads the root's files.
func (w *Workspace) FS() fs.FS { return nil }

// Notices say what Open or Apply did besides their task, for a person to read.
func (w *Workspace) Notices() []string { return nil }

// Read returns the file at path, or nil when nothing lies there.
func (w *Workspace) Read(path string) (*plan.Disk, error) { return nil, nil }

// ReadDir lists a folder; a missing folder is empty.
func (w *Workspace) ReadDir(dir string) ([]fs.DirEntry, error) { return nil, nil }

// State is what the last run rendered for one owner.
type State struct {
	TemplateVersion string
	Inputs          json.RawMessage
	Files           map[string]plan.Base // by path from the platform's root
}

// State reads an owner's state; an owner without one has an empty state.
func (w *Workspace) State(owner string) (*State, error) { return &State{}, nil }

// Meta is what Apply records beside the files.
type Meta struct {
	// Command is what a person typed, shown by undo: "scaffold new greeter".
	Command string
	// TemplateVersion is recorded in the state of every owner in the plan.
	TemplateVersion string
	// Inputs are recorded in the state of the owner that is the key.
	Inputs map[string]json.RawMessage
}

// Apply makes the tree as planned, or leaves it as it was.
func (w *Workspace) Apply(ctx context.Context, p *plan.Plan, meta Meta) error { return nil }

// Undone says what Undo took back.
type Undone struct {
	Command string
	Plan    *plan.Plan // what it did: create, update, delete
}

// Undo takes the last applied plan back.
func (w *Workspace) Undo(ctx context.Context) (*Undone, error) { return nil, nil }

// Recover finishes or discards what an interrupted command left; Open calls it.
func (w *Workspace) Recover() error { return nil }

// Remove plans the removal of an owner's folder: pristine files go; edited files and files of others stay.
func (w *Workspace) Remove(owner string) (*plan.Plan, error) { return nil, nil }

// CommitterMain runs the detached committer when args (os.Args[1:]) ask for it; main and TestMain call it first.
func CommitterMain(args []string) (handled bool) { return false }

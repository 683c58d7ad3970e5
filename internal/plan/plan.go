package plan

import (
	"io"
	"io/fs"
)

// Tree reads the platform's files. Paths are relative to its root, with slashes.
type Tree interface {
	// Read returns the file at path, or nil when nothing lies there.
	Read(path string) (*Disk, error)
	// ReadDir lists a folder; a missing folder is empty.
	ReadDir(dir string) ([]fs.DirEntry, error)
}

// Options say how a plan is made.
type Options struct {
	// Owner is the folder whose state the actions belong to, such as "services/orders"; empty is the platform itself.
	Owner string
	// Version names the templates' version in conflict markers.
	Version string
	// Restore brings back files that a person deleted.
	Restore bool
}

// Build plans one owner's files: state is what was rendered last, rendered what is rendered now.
func Build(state map[string]Base, disk Tree, rendered []File, opt Options) (*Plan, error) {
	return &Plan{}, nil
}

// Decide is the decision table for one path; any of the three may be nil.
func Decide(base *Base, disk *Disk, rendered *File, opt Options) Action {
	return Action{}
}

// Join makes one plan of several; two actions on one path are an error.
func Join(plans ...*Plan) (*Plan, error) { return &Plan{}, nil }

// Hash identifies a text whatever its line endings are.
func Hash(content []byte) string { return "" }

// Changes reports whether applying the plan would change any file.
func (p *Plan) Changes() bool { return false }

// Conflicts are the actions that leave a conflict for a person.
func (p *Plan) Conflicts() []Action { return nil }

// Count is the number of actions with that word.
func (p *Plan) Count(op Op) int { return 0 }

// Print writes one line a file, identical files only counted, and a summary.
func (p *Plan) Print(w io.Writer, color bool) error { return nil }

// Diff writes a unified diff of every file that would change.
func (p *Plan) Diff(w io.Writer) error { return nil }

// JSON is the plan without contents, with a diff for each changed file when asked.
func (p *Plan) JSON(diff bool) ([]byte, error) { return nil, nil }

// MarshalJSON is JSON without diffs.
func (p *Plan) MarshalJSON() ([]byte, error) { return p.JSON(false) }

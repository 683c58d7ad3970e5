package workspace

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const (
	transactions   = house + "/txn"
	journalVersion = 1

	// A transaction's journal has one of three names, and renaming it is how it moves on.
	prepared  = "prepared.json" // everything is staged
	committed = "journal.json"  // the steps are being done
	undoing   = "rollback.json" // the steps are being taken back
	stagedNew = "new"           // contents that will be put into the tree
	stagedOld = "gone"          // what was taken out of the tree
	backup    = "undo"          // the undo record to be filed
	blobs     = "index"         // the sides of conflicts, for git's index
	records   = house + "/undo" // the filed undo records
	kept      = house + "/kept" // what recoveries did not dare to replace
	takenBack = "taken-back"    // an undo record that was used
)

// A journal is all that is needed to carry a transaction through, or back.
type journal struct {
	Version int    `json:"version"`
	Command string `json:"command"`
	Steps   []step `json:"steps"`
	// Undo is the number under which the undo record is filed; TakesBack that of the record being used by an undo.
	Undo      int        `json:"undo,omitempty"`
	TakesBack int        `json:"takesBack,omitempty"`
	Index     indexEdits `json:"index"`
}

type op string

const (
	put   op = "put"   // move a staged file or folder into the tree, over an old file
	take  op = "take"  // move a file or folder out of the tree
	rmdir op = "rmdir" // remove a folder if it is empty by now
)

// A step is one rename. Whether it was done is seen from the staged side alone.
type step struct {
	Op     op     `json:"op"`
	Path   string `json:"path"`
	Staged string `json:"staged,omitempty"` // below the transaction's folder
	// OldHash identifies the file that a put replaces or a take removes; empty for nothing and for a folder.
	OldHash string `json:"oldHash,omitempty"`
	// NewHash identifies the file that is put; empty for a folder.
	NewHash string `json:"newHash,omitempty"`
	// Backup is the old content's place below the transaction's folder, to take a put back.
	Backup string `json:"backup,omitempty"`
	// Files are the files of a folder that is taken, by their path in it, with their hashes: nothing else may go with them.
	Files map[string]string `json:"files,omitempty"`
	// Mode is that of a removed folder, to make it again.
	Mode fs.FileMode `json:"mode,omitempty"`
}

func parseJournal(text []byte) (*journal, error) {
	var j journal
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, at(text, err)
	}
	if j.Version != journalVersion {
		return nil, fmt.Errorf("it has version %d, and this scaffold knows version %d only", j.Version, journalVersion)
	}
	if j.Undo < 0 || j.TakesBack < 0 {
		return nil, fmt.Errorf("undo numbers %d and %d", j.Undo, j.TakesBack)
	}
	for i := range j.Steps {
		if err := j.Steps[i].valid(); err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return &j, j.Index.valid()
}

func (s *step) valid() error {
	if err := validPath(s.Path); err != nil {
		return err
	}
	for f := range s.Files {
		if !fs.ValidPath(f) {
			return fmt.Errorf("%q is no path inside %s", f, s.Path)
		}
	}
	if s.Backup != "" && !staged(s.Backup, backup) {
		return fmt.Errorf("%q is no backup", s.Backup)
	}
	switch s.Op {
	case put:
		if staged(s.Staged, stagedNew) {
			return nil
		}
	case take:
		if staged(s.Staged, stagedOld) {
			return nil
		}
	case rmdir:
		return nil
	}
	return fmt.Errorf("%s from %q is no step", s.Op, s.Staged)
}

// staged reports whether a name is right below a folder of the transaction.
func staged(name, folder string) bool {
	return fs.ValidPath(name) && path.Dir(name) == folder && !strings.Contains(name, "\\")
}

func (j *journal) encode() ([]byte, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("write the journal: %w", err)
	}
	return append(text, '\n'), nil
}

// renames counts the steps that move something.
func (j *journal) renames() int {
	n := 0
	for i := range j.Steps {
		if j.Steps[i].Op != rmdir {
			n++
		}
	}
	return n
}

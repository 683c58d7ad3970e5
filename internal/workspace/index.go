package workspace

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// indexEdits are changes of git's index, made after the files are in place. They are a courtesy: `git status` shows a
// conflict as unmerged. A failure is a notice, and the markers in the file remain.
type indexEdits struct {
	Conflicts []indexConflict `json:"conflicts,omitempty"`
	Restore   []indexLine     `json:"restore,omitempty"`
}

// An indexConflict sets the stages of a path; each side is a file below the transaction's folder, or empty.
type indexConflict struct {
	Path       string    `json:"path"`
	Executable bool      `json:"executable,omitempty"`
	Sides      [3]string `json:"sides"` // ancestor, yours, theirs: stages 1, 2, 3
}

// An indexLine is an entry of the index as git prints it; an empty Entries removes the path from the index.
type indexLine struct {
	Path    string   `json:"path"`
	Entries []string `json:"entries,omitempty"` // "100644 <object> <stage>"
}

var indexEntry = regexp.MustCompile(`^[0-7]{6} [0-9a-f]{40,64} [0-3]$`)

func (l indexLine) valid() error {
	for _, e := range l.Entries {
		if !indexEntry.MatchString(e) {
			return fmt.Errorf("%q is no entry of a git index", e)
		}
	}
	return validPath(l.Path)
}

func (e indexEdits) valid() error {
	for _, c := range e.Conflicts {
		if err := validPath(c.Path); err != nil {
			return err
		}
		for _, side := range c.Sides {
			if side != "" && !staged(side, blobs) {
				return fmt.Errorf("%q is no side of a conflict", side)
			}
		}
	}
	for _, l := range e.Restore {
		if err := l.valid(); err != nil {
			return err
		}
	}
	return nil
}

// inRepository reports whether a git repository has the platform's root.
func (w *Workspace) inRepository() bool {
	for at := w.path; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			_, err = exec.LookPath("git")
			return err == nil
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
}

// git runs a git command at the root, untouched by a GIT_DIR or GIT_INDEX_FILE of the caller, such as a hook's.
func (w *Workspace) git(stdin []byte, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = w.path
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			err = errors.New(strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return string(out), nil
}

// indexNow is what the index says about a path.
func (w *Workspace) indexNow(name string) (indexLine, error) {
	out, err := w.git(nil, "ls-files", "--stage", "-z", "--", ":(literal)"+name)
	if err != nil {
		return indexLine{}, err
	}
	line := indexLine{Path: name}
	for entry := range strings.SplitSeq(out, "\x00") {
		if fields, _, found := strings.Cut(entry, "\t"); found {
			line.Entries = append(line.Entries, fields)
		}
	}
	return line, nil
}

// editIndex makes the edits of a journal in one go.
func (w *Workspace) editIndex(folder string, edits indexEdits) error {
	lines := edits.Restore
	for _, c := range edits.Conflicts {
		line, err := w.stages(folder, c)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	about, err := w.git(nil, "rev-parse", "--show-object-format", "--show-prefix")
	if err != nil {
		return err
	}
	format, prefix, _ := strings.Cut(strings.TrimSuffix(about, "\n"), "\n")
	nothing := strings.Repeat("0", 40)
	if format == "sha256" {
		nothing = strings.Repeat("0", 64)
	}
	var input bytes.Buffer
	for _, l := range lines {
		fmt.Fprintf(&input, "0 %s\t%s%s\x00", nothing, prefix, l.Path)
		for _, e := range l.Entries {
			fmt.Fprintf(&input, "%s\t%s%s\x00", e, prefix, l.Path)
		}
	}
	_, err = w.git(input.Bytes(), "update-index", "-z", "--index-info")
	return err
}

func (w *Workspace) stages(folder string, c indexConflict) (indexLine, error) {
	mode := "100644"
	if c.Executable {
		mode = "100755"
	}
	line := indexLine{Path: c.Path}
	for i, side := range c.Sides {
		if side == "" {
			continue
		}
		content, err := w.root.ReadFile(folder + "/" + side)
		if err != nil {
			return line, err
		}
		object, err := w.git(content, "hash-object", "-w", "--stdin", "--path="+c.Path)
		if err != nil {
			return line, err
		}
		line.Entries = append(line.Entries, fmt.Sprintf("%s %s %d", mode, strings.TrimSpace(object), i+1))
	}
	return line, nil
}

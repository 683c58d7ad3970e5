package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

var colors = map[Op]string{
	Create: "32", Update: "36", Merge: "36", Conflict: "1;31", Delete: "31", Keep: "33", Skip: "2", Identical: "2",
}

// Look is how a plan is printed.
type Look struct {
	Color bool
	// Kept has a line for every file that is kept, and for every one that is not seeded because a person wrote elsewhere what it
	// would hold. Without it they are only counted, but for kept files that scaffold owns: that a person edited one is drift.
	Kept bool
}

// quiet reports whether the file is only counted.
func (l Look) quiet(a *Action) bool {
	switch a.Op {
	case Identical:
		return true
	case Keep:
		return !l.Kept && a.Class != Owned
	case Skip:
		return !l.Kept && a.Base == nil
	}
	return false
}

// Print writes one line a file, and a last line that counts them. Files that stay identical are only counted.
func (p *Plan) Print(w io.Writer, look Look) error {
	var out strings.Builder
	for i := range p.Actions {
		a := &p.Actions[i]
		if look.quiet(a) {
			continue
		}
		out.WriteString(word(a.Op, look.Color))
		out.WriteString(strings.Repeat(" ", len(Identical)+2-len(a.Op)))
		out.WriteString(printable(a.Path))
		if a.Reason != "" {
			out.WriteString("  (" + printable(a.Reason) + ")")
		}
		out.WriteByte('\n')
	}
	out.WriteString(p.Summary())
	out.WriteByte('\n')
	_, err := io.WriteString(w, out.String())
	return err
}

// Summary counts the files by word: "create 12, keep 1, identical 30".
func (p *Plan) Summary() string {
	var parts []string
	for _, op := range Ops {
		if n := p.Count(op); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", op, n))
		}
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

func word(op Op, color bool) string {
	if !color {
		return string(op)
	}
	return "\x1b[" + colors[op] + "m" + string(op) + "\x1b[0m"
}

// printable quotes a text that would do something to a terminal.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// Diff writes a unified diff of every file that would change, as `git apply` takes it.
func (p *Plan) Diff(w io.Writer) error {
	for i := range p.Actions {
		if _, err := w.Write(p.Actions[i].diff()); err != nil {
			return err
		}
	}
	return nil
}

func (a *Action) diff() []byte {
	if !a.Writes() {
		return nil
	}
	from, to := "a/"+a.Path, "b/"+a.Path
	var out bytes.Buffer
	fmt.Fprintf(&out, "diff --git %s %s\n", from, to)
	switch {
	case a.Op == Create:
		fmt.Fprintf(&out, "new file mode %s\n", gitMode(a.Mode))
		from = "/dev/null"
	case a.Op == Delete:
		fmt.Fprintf(&out, "deleted file mode %s\n", gitMode(a.OldMode))
		to = "/dev/null"
	case gitMode(a.OldMode) != gitMode(a.Mode):
		fmt.Fprintf(&out, "old mode %s\nnew mode %s\n", gitMode(a.OldMode), gitMode(a.Mode))
	}
	if _, body, changed := bytes.Cut(diff.Diff(name(from), a.Old, name(to), a.New), []byte("\n")); changed {
		out.Write(body)
	}
	return out.Bytes()
}

// name ends a file name with spaces in a tab, as diff and git do, so that it can be told from what follows.
func name(file string) string {
	if strings.Contains(file, " ") {
		return file + "\t"
	}
	return file
}

func gitMode(mode fs.FileMode) string {
	if mode&executable != 0 {
		return "100755"
	}
	return "100644"
}

type jsonPlan struct {
	Changes bool       `json:"changes"`
	Summary map[Op]int `json:"summary"`
	Files   []jsonFile `json:"files"`
}

type jsonFile struct {
	Path   string `json:"path"`
	Action Op     `json:"action"`
	Class  Class  `json:"class"`
	Owner  string `json:"owner"`
	Reason string `json:"reason,omitempty"`
	Mode   string `json:"mode,omitempty"`
	Diff   string `json:"diff,omitempty"`
}

// JSON is the plan for programs, without the files' contents:
//
//	{
//	  "changes": true,                     whether any file would change
//	  "summary": {"create": 1, …},         the number of files for each of the eight words
//	  "files": [{
//	    "path": "services/orders/main.go", sorted; relative to the platform's root
//	    "action": "create",                one of the eight words
//	    "class": "merged",                 owned, merged or once; empty for a file that scaffold did not make
//	    "owner": "services/orders",        the folder whose state records the file; empty for the platform's own
//	    "reason": "restored",              why, for a person; left out when the word says it all
//	    "mode": "0644",                    what the mode will be; left out where there is no file
//	    "diff": "diff --git …"             only when asked for and the file would change
//	  }]
//	}
func (p *Plan) JSON(withDiff bool) ([]byte, error) {
	out := jsonPlan{Changes: p.Changes(), Summary: map[Op]int{}, Files: []jsonFile{}}
	for _, op := range Ops {
		out.Summary[op] = p.Count(op)
	}
	for i := range p.Actions {
		a := &p.Actions[i]
		f := jsonFile{Path: a.Path, Action: a.Op, Class: a.Class, Owner: a.Owner, Reason: a.Reason}
		if a.New != nil {
			f.Mode = fmt.Sprintf("%04o", a.Mode.Perm())
		}
		if withDiff {
			f.Diff = string(a.diff())
		}
		out.Files = append(out.Files, f)
	}
	return json.Marshal(out)
}

// MarshalJSON is JSON without diffs.
func (p *Plan) MarshalJSON() ([]byte, error) { return p.JSON(false) }

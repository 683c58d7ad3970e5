package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"

	"github.com/trellis-mesh/trellis/internal/merge"
)

// Options say how a plan is made.
type Options struct {
	// Owner is the folder whose state the actions belong to, such as "services/orders"; empty is the platform itself.
	Owner string
	// Version names the templates' version in conflict markers.
	Version string
	// Restore brings back files that a person deleted.
	Restore bool
	// Removing says that the owner goes as a whole, and its frozen files with it.
	Removing bool
}

func (o Options) labels() merge.Labels {
	return merge.Labels{Yours: "yours", Theirs: "scaffold " + o.Version}
}

// anyVersion matches the markers of every run.
var anyVersion = merge.Labels{Yours: "yours", Theirs: "scaffold "}

// Decide is the decision table for one path: what was rendered last, what is on the disk, what is rendered now. Any of
// them may be nil. Files are compared without regard to line endings, a missing final newline, or modes, which editors and
// git change on their own.
func Decide(base *Base, disk *Disk, rendered *File, opt Options) Action {
	d := decision{base: base, disk: disk, rendered: rendered, opt: opt}
	switch {
	case rendered == nil:
		return d.undeclared()
	case disk == nil:
		return d.missing()
	}
	return d.present()
}

// undeclared is for what is no longer rendered.
func (d decision) undeclared() Action {
	switch {
	case d.disk == nil:
		return d.forget(Skip, "gone already")
	case d.base == nil:
		return d.leave(Keep, "not made by scaffold")
	case d.base.Hash != Hash(d.disk.Content):
		return d.leave(Keep, "edited; no longer declared")
	case d.base.Frozen && !d.opt.Removing:
		return d.leave(Keep, "no longer declared, but never changes once made")
	}
	return d.remove("no longer declared")
}

// missing is for what is rendered and not on the disk.
func (d decision) missing() Action {
	switch {
	case d.base == nil:
		return d.create("")
	case !d.opt.Restore:
		return d.leave(Skip, "deleted by you; --restore brings it back")
	case d.rendered.Frozen && d.base.Hash != Hash(d.rendered.Content):
		return d.leave(Skip, "deleted by you, and not what would be made now; take it back from git")
	}
	return d.create("restored")
}

// present is for what is rendered and on the disk.
func (d decision) present() Action {
	now, onDisk := Hash(d.rendered.Content), Hash(d.disk.Content)
	switch {
	case onDisk == now:
		return d.identical()
	case d.base == nil:
		return d.leave(Conflict, "not made by scaffold; move it away or make it the same, then run again")
	case onDisk == d.base.Hash && d.rendered.Frozen:
		return d.freeze("never changes once made")
	case onDisk == d.base.Hash:
		return d.update()
	case merge.HasMarkers(d.disk.Content, anyVersion):
		return d.leave(Conflict, "conflict markers left; resolve them, then run again")
	case d.rendered.Class == Owned && d.torn():
		return d.remake("git left a conflict; made again")
	case d.base.Hash == now:
		return d.keepRecording("edited")
	case d.rendered.Frozen:
		return d.freeze("yours")
	case d.rendered.Class == Once:
		return d.leave(Keep, "yours")
	case d.rendered.Class == Merged && d.base.Content != nil:
		return d.merge()
	}
	return d.mark()
}

// Hash identifies a text, whatever its line endings and with or without a final newline: SHA-256 in hex.
func Hash(content []byte) string {
	sum := sha256.Sum256(bytes.TrimSuffix(merge.Normalize(content), []byte("\n")))
	return hex.EncodeToString(sum[:])
}

type decision struct {
	base     *Base
	disk     *Disk
	rendered *File
	opt      Options
}

// leave changes nothing, neither the file nor what is recorded of it.
func (d decision) leave(op Op, reason string) Action {
	a := Action{Op: op, Reason: reason, Owner: d.opt.Owner, Base: d.base}
	if d.base != nil {
		a.Class = d.base.Class
	}
	if d.rendered != nil {
		a.Path, a.Class = d.rendered.Path, d.rendered.Class
	}
	if d.disk != nil {
		a.Old, a.New = d.disk.Content, d.disk.Content
		a.Mode, a.OldMode = d.disk.Mode.Perm(), d.disk.Mode.Perm()
	}
	return a
}

// freeze leaves a frozen file, and what is recorded of its content, and tells what it would be now.
func (d decision) freeze(reason string) Action {
	a := d.leave(Keep, reason)
	base := *d.base
	base.Frozen = true
	a.Base = &base
	a.Wanted = d.rendered.Content
	return a
}

func (d decision) forget(op Op, reason string) Action {
	a := d.leave(op, reason)
	a.Base = nil
	return a
}

func (d decision) remove(reason string) Action {
	a := d.forget(Delete, reason)
	a.New = nil
	return a
}

// record changes what is recorded, and leaves the file.
func (d decision) record(op Op, reason string) Action {
	a := d.leave(op, reason)
	a.Base = &Base{
		Class:     d.rendered.Class,
		Hash:      Hash(d.rendered.Content),
		Mode:      d.rendered.Mode.Perm(),
		Template:  d.rendered.Template,
		InputHash: d.rendered.InputHash,
		Frozen:    d.rendered.Frozen,
	}
	if d.rendered.Class == Merged {
		a.Base.Content = d.rendered.Content
	}
	return a
}

// keepRecording keeps an edited file whose rendering did not change; a new mode still waits for the next update.
func (d decision) keepRecording(reason string) Action {
	a := d.record(Keep, reason)
	a.Base.Mode = d.base.Mode
	return a
}

func (d decision) create(reason string) Action {
	a := d.record(Create, reason)
	a.New, a.Mode = d.rendered.Content, d.rendered.Mode.Perm()
	if a.New == nil {
		a.New = []byte{}
	}
	return a
}

func (d decision) identical() Action {
	a := d.record(Identical, "")
	if mode := d.mode(); mode != a.Mode {
		a.Op, a.Mode, a.Reason = Update, mode, fmt.Sprintf("mode %04o", mode)
	}
	return a
}

func (d decision) update() Action {
	a := d.record(Update, "")
	a.New, a.Mode = merge.WithEndings(d.rendered.Content, d.disk.Content), d.mode()
	return a
}

// torn reports whether git marked a conflict: a person who merges two branches edits no owned file by that.
func (d decision) torn() bool {
	_, _, torn := merge.Sides(d.disk.Content)
	return torn
}

func (d decision) remake(reason string) Action {
	a := d.update()
	a.Reason = reason
	return a
}

func (d decision) merge() Action {
	if d.binary() {
		return d.leave(Conflict, "edited, and not a text; take the version you want and run again")
	}
	join := merge.Text
	if path.Ext(d.rendered.Path) == ".go" {
		join = merge.Go
	}
	result := join(d.base.Content, d.disk.Content, d.rendered.Content, d.opt.labels())
	if result.Conflicts > 0 {
		a := d.conflict(result)
		a.Ancestor = d.base.Content
		return a
	}
	if Hash(result.Content) == Hash(d.disk.Content) {
		return d.record(Keep, "edited; has these changes already")
	}
	a := d.record(Merge, "")
	a.New, a.Mode = result.Content, d.mode()
	return a
}

// mark sets both versions side by side, when there is no base to tell which lines are whose.
func (d decision) mark() Action {
	if d.binary() {
		return d.leave(Conflict, "edited, and not a text; take the version you want and run again")
	}
	return d.conflict(merge.TwoWay(d.disk.Content, d.rendered.Content, d.opt.labels()))
}

func (d decision) conflict(result merge.Result) Action {
	places := "1 place"
	if result.Conflicts != 1 {
		places = fmt.Sprintf("%d places", result.Conflicts)
	}
	reason := places + " to resolve"
	if d.rendered.Class == Owned {
		reason = "edited, though scaffold owns it; " + reason
	}
	a := d.record(Conflict, reason)
	a.New, a.Mode, a.Theirs = result.Content, d.mode(), d.rendered.Content
	return a
}

func (d decision) binary() bool {
	return bytes.IndexByte(d.disk.Content, 0) >= 0 || bytes.IndexByte(d.rendered.Content, 0) >= 0
}

const executable fs.FileMode = 0o111

// mode is the disk's, unless the rendered file became executable or ceased to be: git knows of no other modes.
func (d decision) mode() fs.FileMode {
	mode, want := d.disk.Mode.Perm(), d.rendered.Mode&executable != 0
	if d.base == nil || want == (d.base.Mode&executable != 0) || want == (mode&executable != 0) {
		return mode
	}
	if want {
		return mode | mode>>2&executable // whoever may read may run
	}
	return mode &^ executable
}

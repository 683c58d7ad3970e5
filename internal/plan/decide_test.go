package plan

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	baseText     = "one\ntwo\nthree\n"
	renderedText = "one\ntwo\nTHREE\n"
	editedText   = "ONE\ntwo\nthree\n"
	clashingText = "one\ntwo\n3\n"
	tornText     = "one\n<<<<<<< HEAD\n2\n=======\nTWO\n>>>>>>> other\nthree\n"
	mergedText   = "ONE\ntwo\nTHREE\n"
)

var v2 = Options{Owner: "services/orders", Version: "v2"}

func baseOf(class Class, content string) *Base {
	b := &Base{Class: class, Hash: Hash([]byte(content)), Mode: 0o644, Template: "t.tmpl"}
	if class == Merged {
		b.Content = []byte(content)
	}
	return b
}

func onDisk(content string) *Disk { return &Disk{Content: []byte(content), Mode: 0o644} }

func render(class Class, content string) *File {
	return &File{Path: "f", Content: []byte(content), Mode: 0o644, Class: class, Template: "t.tmpl"}
}

// frozen stands for a once file that is frozen, in the table.
const frozen Class = "frozen"

// Each row is a row of the decision table in the design; "-" is nothing at that place.
func TestDecide(t *testing.T) {
	const none = "-"
	thawed := []Class{Owned, Merged, Once}
	all := append(slices.Clone(thawed), frozen)
	tests := []struct {
		row                  string
		classes              []Class
		base, disk, rendered string
		restore              bool
		op                   Op
		new                  string // none when nothing will be there
		state                string // what is recorded; none when nothing
	}{
		{"nothing there yet", all, none, none, renderedText, false, Create, renderedText, renderedText},
		{"not ours, and the same", all, none, renderedText, renderedText, false, Identical, renderedText, renderedText},
		{"not ours, and different", all, none, editedText, renderedText, false, Conflict, editedText, none},
		{"pristine, and something new", thawed, baseText, baseText, renderedText, false, Update, renderedText, renderedText},
		{"pristine and frozen, and something new", []Class{frozen}, baseText, baseText, renderedText, false, Keep, baseText, baseText},
		{"already what is rendered", all, baseText, renderedText, renderedText, false, Identical, renderedText, renderedText},
		{"pristine, and nothing new", all, baseText, baseText, baseText, false, Identical, baseText, baseText},
		{"edited, and nothing new", all, baseText, editedText, baseText, false, Keep, editedText, baseText},
		{"edited, and something new", []Class{Once, frozen}, baseText, editedText, renderedText, false, Keep, editedText, baseText},
		{"edited elsewhere", []Class{Merged}, baseText, editedText, renderedText, false, Merge, mergedText, renderedText},
		{"edited more than is new", []Class{Merged}, baseText, mergedText, renderedText, false, Keep, mergedText, renderedText},
		{
			"edited at the same place", []Class{Merged}, baseText, clashingText, renderedText, false, Conflict,
			"one\ntwo\n<<<<<<< yours\n3\n=======\nTHREE\n>>>>>>> scaffold v2\n", renderedText,
		},
		{
			"edited, though owned", []Class{Owned}, baseText, clashingText, renderedText, false, Conflict,
			"one\ntwo\n<<<<<<< yours\n3\n=======\nTHREE\n>>>>>>> scaffold v2\n", renderedText,
		},
		{"not merged by git", []Class{Owned}, baseText, tornText, renderedText, false, Update, renderedText, renderedText},
		{"not merged by git, and nothing new", []Class{Owned}, baseText, tornText, baseText, false, Update, baseText, baseText},
		{"not merged by git, and a person's", []Class{Once, frozen}, baseText, tornText, renderedText, false, Keep, tornText, baseText},
		{"deleted by a person", all, baseText, none, renderedText, false, Skip, none, baseText},
		{"deleted by a person, and nothing new", all, baseText, none, baseText, false, Skip, none, baseText},
		{"deleted by a person, to be restored", thawed, baseText, none, renderedText, true, Create, renderedText, renderedText},
		{"deleted by a person, to be restored as it was", all, baseText, none, baseText, true, Create, baseText, baseText},
		{"frozen, and can't be restored as it was", []Class{frozen}, baseText, none, renderedText, true, Skip, none, baseText},
		{"deleted by a person, no longer rendered", all, baseText, none, none, false, Skip, none, none},
		{"deleted, no longer rendered, restore", all, baseText, none, none, true, Skip, none, none},
		{"pristine, no longer rendered", thawed, baseText, baseText, none, false, Delete, none, none},
		{"pristine and frozen, no longer rendered", []Class{frozen}, baseText, baseText, none, false, Keep, baseText, baseText},
		{"edited, no longer rendered", all, baseText, editedText, none, false, Keep, editedText, baseText},
		{"not ours, not rendered", all, none, editedText, none, false, Keep, editedText, none},
	}
	for _, tt := range tests {
		for _, class := range tt.classes {
			t.Run(tt.row+"/"+string(class), func(t *testing.T) {
				var base *Base
				var disk *Disk
				var rendered *File
				freeze := class == frozen
				if freeze {
					class = Once
				}
				if tt.base != none {
					base = baseOf(class, tt.base)
					base.Frozen = freeze
				}
				if tt.disk != none {
					disk = onDisk(tt.disk)
				}
				if tt.rendered != none {
					rendered = render(class, tt.rendered)
					rendered.Frozen = freeze
				}
				opt := v2
				opt.Restore = tt.restore
				a := Decide(base, disk, rendered, opt)
				if a.Op != tt.op {
					t.Errorf("%s, want %s", a.Op, tt.op)
				}
				content := none
				if a.New != nil {
					content = string(a.New)
				}
				if content != tt.new {
					t.Errorf("the file will be %q, want %q", content, tt.new)
				}
				var state *Base
				if tt.state != none {
					state = baseOf(class, tt.state)
					state.Frozen = freeze
				}
				if diff := cmp.Diff(state, a.Base); diff != "" {
					t.Errorf("recorded state (-want +got):\n%s", diff)
				}
				if a.Writes() != (content != tt.disk) {
					t.Errorf("Writes = %v, yet the disk has %q and will have %q", a.Writes(), tt.disk, content)
				}
				wanted := none
				if freeze && a.Op == Keep && tt.base != tt.rendered && tt.base != none && tt.rendered != none {
					wanted = tt.rendered
				}
				if got := string(a.Wanted); a.Wanted != nil && got != wanted || a.Wanted == nil && wanted != none {
					t.Errorf("wanted now: %q, want %q", got, wanted)
				}
				if a.Owner != "services/orders" {
					t.Errorf("owner %q", a.Owner)
				}
			})
		}
	}
}

func TestDecideTakesAFrozenFileAlongWithItsOwner(t *testing.T) {
	base, opt := baseOf(Once, baseText), v2
	base.Frozen, opt.Removing = true, true
	if a := Decide(base, onDisk(baseText), nil, opt); a.Op != Delete || a.Base != nil {
		t.Errorf("a pristine one: %s, recorded as %v", a.Op, a.Base)
	}
	if a := Decide(base, onDisk(editedText), nil, opt); a.Op != Keep {
		t.Errorf("an edited one: %s", a.Op)
	}
}

func TestDecideRecordsThatAFileIsFrozen(t *testing.T) {
	rendered := render(Once, renderedText)
	rendered.Frozen = true
	a := Decide(baseOf(Once, baseText), onDisk(baseText), rendered, v2)
	want := baseOf(Once, baseText)
	want.Frozen = true
	if diff := cmp.Diff(want, a.Base); diff != "" || a.Op != Keep {
		t.Errorf("%s, recorded state (-want +got):\n%s", a.Op, diff)
	}
}

func TestDecideIgnoresWhatEditorsAndGitChangeThemselves(t *testing.T) {
	windows := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	tests := []struct {
		name           string
		class          Class
		disk, rendered string
		op             Op
		new            string
	}{
		{"converted line endings are no edit", Owned, windows(baseText), renderedText, Update, windows(renderedText)},
		{"converted line endings of the same text", Owned, windows(renderedText), renderedText, Identical, windows(renderedText)},
		{"converted line endings of a file to go", Owned, windows(baseText), "", Delete, ""},
		{"a merge keeps the disk's line endings", Merged, windows(editedText), renderedText, Merge, windows(mergedText)},
		{"a lost final newline is no edit", Owned, strings.TrimSuffix(baseText, "\n"), renderedText, Update, renderedText},
		{"a lost final newline of the same text", Owned, strings.TrimSuffix(renderedText, "\n"), renderedText, Identical, strings.TrimSuffix(renderedText, "\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var rendered *File
			if tt.rendered != "" {
				rendered = render(tt.class, tt.rendered)
			}
			a := Decide(baseOf(tt.class, baseText), onDisk(tt.disk), rendered, v2)
			if a.Op != tt.op || string(a.New) != tt.new {
				t.Errorf("%s to %q, want %s to %q", a.Op, a.New, tt.op, tt.new)
			}
		})
	}
}

func TestDecideModes(t *testing.T) {
	tests := []struct {
		name                 string
		base, disk, rendered fs.FileMode
		content              string
		op                   Op
		want                 fs.FileMode
	}{
		{"a person's mode is no edit", 0o644, 0o755, 0o644, baseText, Identical, 0o755},
		{"a person's mode survives an update", 0o644, 0o600, 0o644, renderedText, Update, 0o600},
		{"a new mode comes with an update", 0o644, 0o644, 0o755, renderedText, Update, 0o755},
		{"a new mode alone is an update", 0o644, 0o640, 0o755, baseText, Update, 0o750},
		{"a mode taken away", 0o755, 0o755, 0o644, baseText, Update, 0o644},
		{"a new mode that the person set already", 0o644, 0o755, 0o755, baseText, Identical, 0o755},
		{"a umask is no mode change", 0o644, 0o664, 0o644, baseText, Identical, 0o664},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, rendered := baseOf(Owned, baseText), render(Owned, tt.content)
			base.Mode, rendered.Mode = tt.base, tt.rendered
			a := Decide(base, &Disk{Content: []byte(baseText), Mode: tt.disk}, rendered, v2)
			if a.Op != tt.op || a.Mode != tt.want || a.OldMode != tt.disk {
				t.Errorf("%s from %04o to %04o, want %s to %04o", a.Op, a.OldMode, a.Mode, tt.op, tt.want)
			}
		})
	}
}

func TestDecideWaitsForAPersonToResolveMarkers(t *testing.T) {
	first := Decide(baseOf(Merged, baseText), onDisk(clashingText), render(Merged, renderedText), v2)
	if string(first.Ancestor) != baseText || string(first.Theirs) != renderedText {
		t.Errorf("the other sides are %q and %q", first.Ancestor, first.Theirs)
	}
	for _, rendered := range []string{renderedText, "something newer\n"} {
		a := Decide(first.Base, onDisk(string(first.New)), render(Merged, rendered), v2)
		if a.Op != Conflict || a.Writes() {
			t.Errorf("with %q rendered: %s, writes %v; want a conflict that is left alone", rendered, a.Op, a.Writes())
		}
	}
	resolved := Decide(first.Base, onDisk("one\ntwo\nTHREE and 3\n"), render(Merged, renderedText), v2)
	if resolved.Op != Keep {
		t.Errorf("after resolving: %s, want keep", resolved.Op)
	}
}

func TestDecideWithoutTheBaseOfAMergedFileMarksEveryDifference(t *testing.T) {
	base := baseOf(Merged, baseText)
	base.Content = nil
	a := Decide(base, onDisk(editedText), render(Merged, renderedText), v2)
	want := "<<<<<<< yours\nONE\ntwo\nthree\n=======\none\ntwo\nTHREE\n>>>>>>> scaffold v2\n"
	if a.Op != Conflict || string(a.New) != want || a.Ancestor != nil {
		t.Errorf("%s to %q, ancestor %q", a.Op, a.New, a.Ancestor)
	}
}

func TestDecideMergesTheImportsOfGoFilesAsSets(t *testing.T) {
	file := func(imported, used string) string {
		return "package http\n\nimport (\n\t\"context\"\n\t\"" + imported + "\"\n)\n\nvar a context.Context\n\n" + used
	}
	base := baseOf(Merged, "package http\n\nimport (\n\t\"context\"\n)\n\nvar a context.Context\n\n")
	rendered := render(Merged, file("time", ""))
	for name, want := range map[string]Op{"services/orders/internal/http/handler.go": Merge, "handler.txt": Conflict} {
		rendered.Path = name
		a := Decide(base, onDisk(file("os", "var b = os.Exit\n")), rendered, v2)
		if a.Op != want {
			t.Errorf("%s: %s to %q, want %s", name, a.Op, a.New, want)
		}
	}
}

func TestDecideNeverMarksABinaryFile(t *testing.T) {
	for _, class := range []Class{Owned, Merged} {
		a := Decide(baseOf(class, baseText), onDisk("\x00edited"), render(class, renderedText), v2)
		if a.Op != Conflict || a.Writes() {
			t.Errorf("%s: %s, writes %v; want a conflict that is left alone", class, a.Op, a.Writes())
		}
	}
}

func TestDecideAfterAClassChange(t *testing.T) {
	a := Decide(baseOf(Owned, baseText), onDisk(editedText), render(Once, renderedText), v2)
	if a.Op != Keep {
		t.Errorf("owned became once: %s, want keep", a.Op)
	}
	a = Decide(baseOf(Owned, baseText), onDisk(editedText), render(Merged, baseText), v2)
	if a.Op != Keep || string(a.Base.Content) != baseText {
		t.Errorf("owned became merged: %s with base %q, want keep with a base to merge from", a.Op, a.Base.Content)
	}
}

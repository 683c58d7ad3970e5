// Package merge joins two people's edits of one text. Lines that only one of them changed are taken from that one; where
// both changed the same lines differently, both versions are kept between git's conflict markers.
//
//	result := merge.Text(base, yours, theirs, merge.Labels{Yours: "yours", Theirs: "scaffold v1.4.0"})
//	if result.Conflicts > 0 { … }
//
// Go files have Go, which merges imports as sets where their lines conflict. Lines are compared without their line endings, and the merged text has the endings of yours, so an editor that converts
// them does not make every line an edit. It knows nothing of files or classes: package plan decides when to merge.
package merge

import (
	"bytes"
	"strings"
)

// Labels name the two sides in conflict markers.
type Labels struct {
	Yours, Theirs string
}

// Result is a merged text.
type Result struct {
	Content []byte
	// Conflicts counts the marked places.
	Conflicts int
}

// Text merges yours and theirs, which were both made from base. It is the classic three-way merge: lines that both
// sides kept split the texts into regions, and each region that changed is decided on its own (Khanna, Kunal and Pierce,
// "A Formal Investigation of Diff3", 2007).
func Text(base, yours, theirs []byte, labels Labels) Result {
	b, y, t := parse(base), parse(yours), parse(theirs)
	ids := interner{}
	bi, yi, ti := ids.intern(b.lines), ids.intern(y.lines), ids.intern(t.lines)
	inYours, inTheirs := match(bi, yi), match(bi, ti)

	out := newWriter(y, t, labels)
	var i, j, k int
	for i < len(bi) || j < len(yi) || k < len(ti) {
		if i < len(bi) && inYours[i] == j && inTheirs[i] == k {
			out.put(y.lines[j])
			i, j, k = i+1, j+1, k+1
			continue
		}
		i2, j2, k2 := nextStable(i, inYours, inTheirs, len(yi), len(ti))
		out.region(
			side{bi[i:i2], b.lines[i:i2]},
			side{yi[j:j2], y.lines[j:j2]},
			side{ti[k:k2], t.lines[k:k2]},
		)
		i, j, k = i2, j2, k2
	}
	unterminated := t.unterminated
	if y.unterminated != b.unterminated {
		unterminated = y.unterminated
	}
	return out.finish(unterminated)
}

// nextStable is the first line of the base from i on that both sides kept, and where they have it; else the ends.
func nextStable(i int, inYours, inTheirs []int, yours, theirs int) (int, int, int) {
	for ; i < len(inYours); i++ {
		if inYours[i] >= 0 && inTheirs[i] >= 0 {
			return i, inYours[i], inTheirs[i]
		}
	}
	return len(inYours), yours, theirs
}

// TwoWay marks every place where yours and theirs differ, for when no base tells who changed it.
func TwoWay(yours, theirs []byte, labels Labels) Result {
	y, t := parse(yours), parse(theirs)
	ids := interner{}
	out := newWriter(y, t, labels)
	out.conflict(side{ids.intern(y.lines), y.lines}, side{ids.intern(t.lines), t.lines})
	return out.finish(y.unterminated)
}

// HasMarkers reports whether a conflict marked with labels that begin like these is still in the text.
func HasMarkers(text []byte, labels Labels) bool { return takeApart(text, labels).whole > 0 }

// Sides takes apart a text in which git, or Text, marked conflicts: with each conflict resolved to the upper side, and to the
// lower one. torn is false, and the text is given back twice, when there is no whole conflict in it.
func Sides(text []byte) (upper, lower []byte, torn bool) {
	parts := takeApart(text, Labels{})
	if parts.open || parts.whole == 0 {
		return text, text, false
	}
	return parts.upper, parts.lower, true
}

// parts are a text with marked conflicts, taken apart.
type parts struct {
	upper, lower []byte
	whole        int  // conflicts with all of their markers
	open         bool // the last one has no end
}

// takeApart finds the conflicts whose labels begin like these.
func takeApart(text []byte, labels Labels) parts {
	const both, up, ancestor, down = 0, 1, 2, 3
	var p parts
	at := both
	for line := range bytes.Lines(text) {
		switch {
		case at == both && bytes.HasPrefix(line, []byte(markYours+labels.Yours)):
			at = up
		case at == up && bytes.HasPrefix(line, []byte(markAncestor)):
			at = ancestor
		case (at == up || at == ancestor) && strings.TrimRight(string(line), "\r\n") == markMiddle:
			at = down
		case at == down && bytes.HasPrefix(line, []byte(markTheirs+labels.Theirs)):
			at = both
			p.whole++
		default:
			if at == both || at == up {
				p.upper = append(p.upper, line...)
			}
			if at == both || at == down {
				p.lower = append(p.lower, line...)
			}
		}
	}
	p.open = at != both
	return p
}

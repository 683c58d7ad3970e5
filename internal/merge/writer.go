package merge

import (
	"bytes"
	"slices"
)

const (
	markYours    = "<<<<<<< "
	markAncestor = "||||||| " // git writes it in the style diff3
	markMiddle   = "======="
	markTheirs   = ">>>>>>> "

	// Conflicts with no more than this many equal lines between them are shown as one, as git does: several small ones
	// in a row are harder to read than one.
	joinGap = 3
)

type side struct {
	ids   []int
	lines []line
}

type writer struct {
	buf       bytes.Buffer
	end       string
	lastEnd   int // length of the last line's ending
	marked    bool
	labels    Labels
	conflicts int
}

func newWriter(yours, theirs document, labels Labels) *writer {
	end := yours.end
	if end == "" {
		end = theirs.end
	}
	if end == "" {
		end = "\n"
	}
	return &writer{end: end, labels: labels}
}

func (w *writer) put(l line) {
	if l.end == "" {
		l.end = w.end
	}
	w.buf.WriteString(l.text)
	w.buf.WriteString(l.end)
	w.lastEnd = len(l.end)
	w.marked = false
}

// theirs writes lines with the endings of yours.
func (w *writer) theirs(lines []line) {
	for _, l := range lines {
		w.put(line{l.text, w.end})
	}
}

func (w *writer) yours(lines []line) {
	for _, l := range lines {
		w.put(l)
	}
}

func (w *writer) mark(text string) {
	w.put(line{text, w.end})
	w.marked = true
}

// region decides one region of a three-way merge.
func (w *writer) region(base, yours, theirs side) {
	switch {
	case slices.Equal(yours.ids, base.ids):
		w.theirs(theirs.lines)
	case slices.Equal(theirs.ids, base.ids), slices.Equal(yours.ids, theirs.ids):
		w.yours(yours.lines)
	default:
		w.conflict(yours, theirs)
	}
}

// conflict writes two versions of a region, with markers only around what differs.
func (w *writer) conflict(yours, theirs side) {
	at := 0
	for _, h := range join(hunks(yours.ids, theirs.ids)) {
		w.yours(yours.lines[at:h.from])
		w.mark(markYours + w.labels.Yours)
		w.yours(yours.lines[h.from:h.to])
		w.mark(markMiddle)
		w.theirs(theirs.lines[h.otherFrom:h.otherTo])
		w.mark(markTheirs + w.labels.Theirs)
		w.conflicts++
		at = h.to
	}
	w.yours(yours.lines[at:])
}

func (w *writer) finish(unterminated bool) Result {
	content := w.buf.Bytes()
	if unterminated && !w.marked && len(content) > 0 {
		content = content[:len(content)-w.lastEnd]
	}
	return Result{Content: content, Conflicts: w.conflicts}
}

// A hunk is a range of lines that two texts do not share.
type hunk struct {
	from, to, otherFrom, otherTo int
}

func hunks(a, b []int) []hunk {
	var out []hunk
	pairs := match(a, b)
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		if i < len(a) && pairs[i] == j {
			i, j = i+1, j+1
			continue
		}
		h := hunk{from: i, otherFrom: j}
		for i < len(a) && pairs[i] < 0 {
			i++
		}
		j = len(b)
		if i < len(a) {
			j = pairs[i]
		}
		h.to, h.otherTo = i, j
		out = append(out, h)
	}
	return out
}

func join(all []hunk) []hunk {
	var out []hunk
	for _, h := range all {
		if n := len(out); n > 0 && h.from-out[n-1].to <= joinGap {
			out[n-1].to, out[n-1].otherTo = h.to, h.otherTo
			continue
		}
		out = append(out, h)
	}
	return out
}

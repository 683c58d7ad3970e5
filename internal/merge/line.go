package merge

import "bytes"

// A line is a line's text and its own ending, which is empty at the end of a text without a final newline.
type line struct {
	text, end string
}

type document struct {
	lines        []line
	end          string // the ending that most lines have; empty when no line has one
	unterminated bool   // the last line has no ending
}

func parse(text []byte) document {
	var d document
	windows := 0
	for raw := range bytes.Lines(text) {
		l := split(raw)
		switch l.end {
		case "":
			d.unterminated = true
		case "\n":
			windows--
		default:
			windows++
		}
		d.lines = append(d.lines, l)
	}
	if len(d.lines) > 1 || len(d.lines) == 1 && !d.unterminated {
		d.end = "\n"
	}
	if windows > 0 {
		d.end = "\r\n"
	}
	return d
}

// split parts a line from its ending: a newline and any carriage returns before it.
func split(raw []byte) line {
	text, terminated := bytes.CutSuffix(raw, []byte("\n"))
	if !terminated {
		return line{text: string(raw)}
	}
	text = bytes.TrimRight(text, "\r")
	return line{string(text), string(raw[len(text):])}
}

// Normalize gives a text with "\n" for every line ending.
func Normalize(text []byte) []byte {
	if !bytes.Contains(text, []byte("\r\n")) {
		return text
	}
	return withEnd(text, "\n")
}

// WithEndings gives a text the line endings that most lines of the other text have.
func WithEndings(text, other []byte) []byte {
	end := parse(other).end
	if end == "" || end == "\n" && !bytes.Contains(text, []byte("\r\n")) {
		return text
	}
	return withEnd(text, end)
}

func withEnd(text []byte, end string) []byte {
	out := make([]byte, 0, len(text)+len(text)/16)
	for raw := range bytes.Lines(text) {
		l := split(raw)
		out = append(out, l.text...)
		if l.end != "" {
			out = append(out, end...)
		}
	}
	return out
}

// An interner gives equal lines equal numbers, so that they compare fast.
type interner map[string]int

func (in interner) intern(lines []line) []int {
	ids := make([]int, len(lines))
	for i, l := range lines {
		id, known := in[l.text]
		if !known {
			id = len(in)
			in[l.text] = id
		}
		ids[i] = id
	}
	return ids
}

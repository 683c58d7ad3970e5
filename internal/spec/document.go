package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Greatest sizes of the files, in bytes. They are far above what anybody writes by hand, and keep a wrong file from
// taking all the memory.
const (
	maxDeclaration = 256 << 10
	maxContract    = 4 << 20
	maxEvent       = 1 << 20
)

const bom = "\uFEFF"

// parseDocument reads the one YAML document of a file and gives its root, which is a mapping. Anchors and aliases are
// refused: they can blow a small file up to any size, and an edit in one place would show in another. whenEmpty is the
// remedy for an empty file.
func parseDocument(file string, raw []byte, limit int, whenEmpty string) (*yaml.Node, Problems) {
	var problems Problems
	if problem := unreadable(file, raw, limit); problem != nil {
		return nil, Problems{*problem}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		problems.Add(Position{file, 1, 1}, whenEmpty, "the file is empty")
		return nil, problems
	case err != nil:
		return nil, Problems{syntaxProblem(file, raw, err)}
	}
	root := document.Content[0]
	if null(root) {
		problems.Add(Position{file, 1, 1}, whenEmpty, "the file is empty")
		return nil, problems
	}
	var next yaml.Node
	switch err := decoder.Decode(&next); {
	case err == nil:
		problems.Add(place(file, &next), "keep one document and remove the rest, with the line ---", "the file holds a second document")
		return nil, problems
	case !errors.Is(err, io.EOF):
		return nil, Problems{syntaxProblem(file, raw, err)}
	}
	if aliased := findAlias(root); aliased != nil {
		problems.Add(place(file, aliased), "write the value out in each place", "anchors and aliases (& and *) are not supported here")
		return nil, problems
	}
	if root.Kind != yaml.MappingNode {
		problems.Add(place(file, root), "write one \"key: value\" a line", "the file must hold keys and values, not %s", describe(root))
		return nil, problems
	}
	return root, nil
}

// unreadable finds what the YAML parser would report badly or not at all.
func unreadable(file string, raw []byte, limit int) *Problem {
	var problems Problems
	switch {
	case len(raw) > limit:
		problems.Add(Position{file, 1, 1}, "is this the right file?", "the file has %d bytes; the most that is read is %d", len(raw), limit)
	case !utf8.Valid(raw):
		offset := 0
		for offset < len(raw) {
			r, size := utf8.DecodeRune(raw[offset:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			offset += size
		}
		problems.Add(locate(file, raw).at(offset), "save the file as UTF-8", "the text is not UTF-8")
	default:
		text := strings.TrimPrefix(strings.ReplaceAll(string(raw), "\r\n", " \n"), bom) // the same length but for the mark
		if i := strings.IndexFunc(text, control); i >= 0 {
			r, _ := utf8.DecodeRuneInString(text[i:])
			problems.Add(locate(file, []byte(text)).at(i), "remove it", "a control character, %+q, stands here", r)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &problems[0]
}

// control reports the characters that YAML allows nowhere, and those that it takes for a line break but editors do not: with
// them, the lines of a position would not be those of the reader.
func control(r rune) bool {
	switch r {
	case '\t', '\n':
		return false
	case '\u2028', '\u2029', '\ufeff', '\ufffe', '\uffff':
		return true
	}
	return r < ' ' || 0x7f <= r && r <= 0x9f
}

// places turns byte offsets of a text into positions. It counts once, and keeps a mark every so often, for texts of a single
// long line.
type places struct {
	file  string
	raw   []byte
	marks []Position // at the offsets that are multiples of markEvery
}

const markEvery = 4 << 10

func locate(file string, raw []byte) *places {
	p := &places{file: file, raw: raw}
	at := Position{File: file, Line: 1, Column: 1}
	for offset := 0; offset <= len(raw); offset += markEvery {
		p.marks = append(p.marks, at)
		at = advance(at, raw[offset:min(offset+markEvery, len(raw))])
	}
	return p
}

// at gives the position of the character at offset.
func (p *places) at(offset int) Position {
	mark := offset / markEvery
	at := advance(p.marks[mark], p.raw[mark*markEvery:offset])
	if at.Line == 1 && bytes.HasPrefix(p.raw, []byte(bom)) && at.Column > 1 {
		at.Column-- // a byte order mark is no character of the line
	}
	return at
}

// advance moves a position over text: bytes that begin a character count.
func advance(at Position, text []byte) Position {
	for _, c := range text {
		switch {
		case c == '\n':
			at.Line, at.Column = at.Line+1, 1
		case utf8.RuneStart(c):
			at.Column++
		}
	}
	return at
}

func place(file string, n *yaml.Node) Position {
	return Position{File: file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

var (
	syntaxPrefix = regexp.MustCompile(`^yaml: (line (\d+): )?`)
	indentedTab  = regexp.MustCompile(`(?m)^ *\t[ \t]*\S`)
)

// syntaxProblem turns the parser's error into a problem. The line that the parser tells is often that where the construct
// around the fault begins, so the place is the first line with which the text up to there gives the same error.
func syntaxProblem(file string, raw []byte, err error) Problem {
	message := syntaxMessage(err)
	if strings.Contains(message, "character that cannot start any token") || strings.Contains(message, "tab character") {
		if tab := indentedTab.FindIndex(raw); tab != nil {
			at := locate(file, raw).at(tab[0] + bytes.IndexByte(raw[tab[0]:tab[1]], '\t'))
			return Problem{at, "a tab indents this line, and YAML allows only spaces", "replace the tab by two spaces"}
		}
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	line := faultyLine(lines, err)
	text := strings.TrimPrefix(string(lines[line]), bom)
	column := utf8.RuneCountInString(text) - utf8.RuneCountInString(strings.TrimLeft(text, " \t")) + 1
	return Problem{Position{file, line + 1, column}, "the YAML cannot be read: " + message, "look at this line and the one above: indentation, quotes, colons"}
}

func syntaxMessage(err error) string {
	return syntaxPrefix.ReplaceAllString(err.Error(), "")
}

// faultyLine gives the index of the first line with which the text fails as the whole does. In a long file, where finding
// it would take too many trials, it gives the line that the parser tells.
func faultyLine(lines [][]byte, whole error) int {
	const most = 1 << 20 // bytes, in all trials
	tried, length := 0, 0
	for i, line := range lines {
		if length += len(line); tried+length > most {
			break
		}
		tried += length
		var n yaml.Node
		if err := yaml.Unmarshal(bytes.Join(lines[:i+1], nil), &n); err != nil && syntaxMessage(err) == syntaxMessage(whole) {
			return i
		}
	}
	told := 1
	if found := syntaxPrefix.FindStringSubmatch(whole.Error()); found != nil && found[2] != "" {
		told, _ = strconv.Atoi(found[2])
	}
	return min(told, len(lines)) - 1
}

func findAlias(n *yaml.Node) *yaml.Node {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return n
	}
	for _, child := range n.Content {
		if found := findAlias(child); found != nil {
			return found
		}
	}
	return nil
}

// describe names what a node is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return n.Value + ", which is true or false"
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	}
	return fmt.Sprintf("%q", clip(n.Value))
}

// clip shortens a value for a message.
func clip(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

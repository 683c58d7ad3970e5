package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
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

const (
	bom       = "\uFEFF"
	emptyFile = "the file is empty"
)

// parseDocument reads the one YAML document of a file and gives its root, which is a mapping. Anchors and aliases are
// refused: they can blow a small file up to any size, and an edit in one place would show in another.
func parseDocument(file string, raw []byte, limit int) (*yaml.Node, Problems) {
	var problems Problems
	if problem := unreadable(file, raw, limit); problem != nil {
		return nil, Problems{*problem}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		problems.Add(Position{file, 1, 1}, "", emptyFile)
		return nil, problems
	case err != nil:
		return nil, Problems{syntaxProblem(file, raw, err)}
	}
	root := document.Content[0]
	if null(root) {
		problems.Add(Position{file, 1, 1}, "", emptyFile)
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
		problems.Add(positionOf(file, raw, offset), "save the file as UTF-8", "the text is not UTF-8")
	default:
		text := strings.TrimPrefix(strings.ReplaceAll(string(raw), "\r\n", " \n"), bom) // the same length but for the mark
		if i := strings.IndexFunc(text, control); i >= 0 {
			r, _ := utf8.DecodeRuneInString(text[i:])
			problems.Add(positionOf(file, []byte(text), i), "remove it", "a control character, %+q, stands here", r)
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

// positionOf turns a byte offset into a position.
func positionOf(file string, raw []byte, offset int) Position {
	before := string(raw[:offset])
	line := strings.Count(before, "\n")
	before = strings.TrimPrefix(before[strings.LastIndexByte(before, '\n')+1:], bom)
	return Position{File: file, Line: line + 1, Column: utf8.RuneCountInString(before) + 1}
}

func place(file string, n *yaml.Node) Position {
	return Position{File: file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

var (
	syntaxPrefix = regexp.MustCompile(`^yaml: (line \d+: )?`)
	indentedTab  = regexp.MustCompile(`(?m)^ *\t[ \t]*\S`)
)

// syntaxProblem turns the parser's error into a problem. The line that the parser tells is often that where the construct
// around the fault begins, so the place is the first line with which the text up to there gives the same error.
func syntaxProblem(file string, raw []byte, err error) Problem {
	message := syntaxMessage(err)
	if strings.Contains(message, "character that cannot start any token") || strings.Contains(message, "tab character") {
		if tab := indentedTab.FindIndex(raw); tab != nil {
			at := positionOf(file, raw, tab[0]+bytes.IndexByte(raw[tab[0]:tab[1]], '\t'))
			return Problem{at, "a tab indents this line, and YAML allows only spaces", "replace the tab by two spaces"}
		}
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	line := faultyLine(lines, message)
	text := strings.TrimPrefix(string(lines[line]), bom)
	column := utf8.RuneCountInString(text) - utf8.RuneCountInString(strings.TrimLeft(text, " \t")) + 1
	return Problem{Position{file, line + 1, column}, "the YAML cannot be read: " + message, "look at this line and the one above: indentation, quotes, colons"}
}

func syntaxMessage(err error) string {
	return syntaxPrefix.ReplaceAllString(err.Error(), "")
}

// faultyLine gives the index of the first line with which the text fails with that message. Long files, which would take
// many trials, give their last line.
func faultyLine(lines [][]byte, message string) int {
	const most = 1000
	for i := range min(len(lines), most) {
		var n yaml.Node
		if err := yaml.Unmarshal(bytes.Join(lines[:i+1], nil), &n); err != nil && syntaxMessage(err) == message {
			return i
		}
	}
	return len(lines) - 1
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

package spec

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value is what is written for a new key: keys below it, and at the innermost a value in one line or, when it is a list
// that would make the line too long, an item a line.
type value struct {
	keys  []string
	flow  string
	items []string
	// block is the lines of the value as they are, without indentation. It takes the place of all the above.
	block []string
}

// inline writes the value in one line.
func (v value) inline() string {
	text := v.flow
	for i := len(v.keys) - 1; i >= 0; i-- {
		text = "{" + scalar(v.keys[i]) + ": " + text + "}"
	}
	return text
}

// lines writes the key and the value, the first level indented by so many blanks.
func (v value) lines(key string, indent, step int) []string {
	blanks := strings.Repeat(" ", indent)
	head := blanks + plain(key) + ":"
	switch one := head + " " + v.inline(); {
	case v.block != nil:
		lines := []string{head}
		for _, line := range v.block {
			lines = append(lines, blanks+strings.Repeat(" ", step)+line)
		}
		return lines
	case len(v.keys) == 0 && !strings.HasPrefix(v.flow, "[{") && len(one) <= longestLine, v.items == nil:
		return []string{one}
	case len(v.keys) > 0:
		return append([]string{head}, value{keys: v.keys[1:], flow: v.flow, items: v.items}.lines(v.keys[0], indent+step, step)...)
	}
	lines := []string{head}
	for _, item := range v.items {
		lines = append(lines, blanks+strings.Repeat(" ", step)+"- "+item)
	}
	return lines
}

// insertKey writes a new key into a mapping. In the root, it goes behind the last of the keys in after, else to the end.
// owner is the key that holds the mapping, nil for the root.
func (t *text) insertKey(owner, mapping *yaml.Node, key string, v value, after []string) error {
	if mapping.Kind != yaml.MappingNode {
		return ErrNotEdited
	}
	if mapping.Style&yaml.FlowStyle != 0 {
		if v.block != nil {
			if len(mapping.Content) > 0 || owner == nil {
				return ErrNotEdited
			}
			return t.unfold(owner, mapping, v.lines(key, owner.Column-1+t.step, t.step))
		}
		return t.insertFlow(mapping, scalar(key)+": "+v.inline())
	}
	last := len(mapping.Content) - 2
	if after != nil {
		last = lastOf(mapping, after)
	}
	indent := mapping.Content[0].Column - 1
	if last < 0 {
		t.insertLines(mapping.Content[0].Line-1, v.lines(key, indent, t.step))
		return nil
	}
	t.insertLines(t.blockEnd(mapping.Content[last], mapping.Content[last+1]), v.lines(key, indent, t.step))
	return nil
}

// lastOf gives the index of the last key of the mapping that is among keys, -2 when there is none.
func lastOf(mapping *yaml.Node, keys []string) int {
	last := -2
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		for _, key := range keys {
			if mapping.Content[i].Value == key {
				last = i
			}
		}
	}
	return last
}

// unfold writes lines in the place of the empty braces of owner.
func (t *text) unfold(owner, braces *yaml.Node, lines []string) error {
	from, to := t.offset(braces), t.end(braces)
	if to < 0 || owner.Line != braces.Line {
		return ErrNotEdited
	}
	for from > 0 && t.raw[from-1] == ' ' {
		from--
	}
	row := braces.Line
	t.splice(from, to, "")
	for i := row; i < len(t.starts); i++ {
		t.starts[i] -= to - from
	}
	t.insertLines(row, lines)
	return nil
}

// insertFlow writes a further member before the closing bracket of a collection.
func (t *text) insertFlow(n *yaml.Node, member string) error {
	if len(n.Content) == 0 {
		at := t.offset(n) + 1
		t.splice(at, at, member)
		return nil
	}
	at := t.end(n.Content[len(n.Content)-1])
	if at < 0 {
		return ErrNotEdited
	}
	t.splice(at, at, ", "+member)
	return nil
}

// removeKey takes a key and its value out of a mapping.
func (t *text) removeKey(mapping, key *yaml.Node) error {
	i := slices.Index(mapping.Content, key)
	value := mapping.Content[i+1]
	if mapping.Style&yaml.FlowStyle == 0 {
		from, to := t.starts[key.Line-1], len(t.raw)
		if end := t.blockEnd(key, value); end < len(t.starts) {
			to = t.starts[end]
		} else if key.Line > 1 { // the newline before it, where the file has none at its end
			from -= len(t.newline)
		}
		t.splice(from, to, "")
		return nil
	}
	return t.removeFlow(mapping, i)
}

// removeFlow takes the member at i out of a mapping in braces. Comments beside it stay: they may be those of its neighbours.
func (t *text) removeFlow(mapping *yaml.Node, i int) error {
	from, to := t.offset(mapping.Content[i]), t.end(mapping.Content[i+1])
	if to < from {
		return ErrNotEdited
	}
	before, after := from, to // up to the neighbours
	if i > 0 {
		if before = t.end(mapping.Content[i-1]); before < 0 {
			return ErrNotEdited
		}
	}
	if i+2 < len(mapping.Content) {
		after = t.offset(mapping.Content[i+2])
	}
	switch {
	case after > to && !bytes.ContainsRune(t.raw[to:after], '#'):
		t.splice(from, after, "")
	case after == to && before < from && !bytes.ContainsRune(t.raw[before:from], '#'):
		t.splice(before, to, "")
	default:
		from, to = t.wholeLine(from, t.comma(to))
		t.splice(from, to, "")
	}
	return nil
}

// comma is the offset after the comma that follows on the same line, or at itself when none does.
func (t *text) comma(at int) int {
	rest := bytes.TrimLeft(t.raw[at:], " \t")
	if bytes.HasPrefix(rest, []byte(",")) {
		return len(t.raw) - len(rest) + 1
	}
	return at
}

// wholeLine widens a part of the text to its lines, if nothing else is on them.
func (t *text) wholeLine(from, to int) (int, int) {
	end := len(t.raw) - len(bytes.TrimLeft(t.raw[to:], " \t\r"))
	start := len(bytes.TrimRight(t.raw[:from], " \t"))
	if end < len(t.raw) && t.raw[end] == '\n' && start > 0 && t.raw[start-1] == '\n' {
		return start, end + 1
	}
	return from, to
}

// commented reports whether there is a comment on the lines of a key and its value.
func (t *text) commented(key, value *yaml.Node) bool {
	for i := key.Line - 1; i < t.blockEnd(key, value); i++ {
		if strings.Contains(t.line(i), "#") {
			return true
		}
	}
	return false
}

// replace writes another value over a scalar.
func (t *text) replace(n *yaml.Node, by string) error {
	to := t.end(n)
	if to < 0 || n.Kind != yaml.ScalarNode {
		return ErrNotEdited
	}
	t.splice(t.offset(n), to, by)
	return nil
}

// replaceNull writes the value of a key that has none: after its colon, or over a null that is written out.
func (t *text) replaceNull(key, n *yaml.Node, v value) error {
	if n.Value != "" {
		return t.replace(n, v.inline())
	}
	lines := v.lines(key.Value, key.Column-1, t.step)
	if len(lines) > 1 {
		t.insertLines(key.Line, lines[1:])
		return nil
	}
	at := t.end(key)
	if at < 0 || at >= len(t.raw) || t.raw[at] != ':' {
		return ErrNotEdited
	}
	t.splice(at+1, at+1, " "+v.inline())
	return nil
}

// appendItems writes further items at the end of a list.
func (t *text) appendItems(list *yaml.Node, items []string) error {
	switch {
	case len(items) == 0:
		return nil
	case list.Kind != yaml.SequenceNode:
		return ErrNotEdited
	case list.Style&yaml.FlowStyle != 0:
		return t.insertFlow(list, strings.Join(items, ", "))
	}
	indent := strings.Repeat(" ", list.Column-1)
	lines := make([]string, len(items))
	for i, item := range items {
		lines[i] = indent + "- " + item
	}
	last := list.Content[len(list.Content)-1]
	t.insertLines(t.blockEnd(&yaml.Node{Line: last.Line, Column: list.Column}, last), lines)
	return nil
}

// blockEnd gives the number of lines up to the end of a key's value, with the comments that are indented deeper than the
// key: they are part of it.
func (t *text) blockEnd(key, value *yaml.Node) int {
	end := max(key.Line, lastLine(value))
	if to := t.end(value); to >= 0 {
		for end < len(t.starts) && t.starts[end] < to {
			end++
		}
	}
	for i := end; i < len(t.starts); i++ {
		line := t.line(i)
		trimmed := strings.TrimLeft(line, " \t")
		if trimmed == "" {
			continue
		}
		if len(line)-len(trimmed) < key.Column {
			break
		}
		end = i + 1
	}
	return end
}

// lastLine is the greatest line that a node or anything in it begins on.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, child := range n.Content {
		last = max(last, lastLine(child))
	}
	return last
}

// insertLines writes lines after the first count lines of the file.
func (t *text) insertLines(count int, lines []string) {
	insert := strings.Join(lines, t.newline)
	if count >= len(t.starts) || t.starts[count] == len(t.raw) && !strings.HasSuffix(string(t.raw), "\n") {
		t.splice(len(t.raw), len(t.raw), t.newline+insert) // the file has no newline at its end, and gets none
		return
	}
	at := t.starts[count]
	t.splice(at, at, insert+t.newline)
}

package spec

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// text is a YAML file that is changed by splicing: only the bytes that must change do.
type text struct {
	raw     []byte
	root    *yaml.Node
	limit   int
	starts  []int  // the offset of each line
	newline string // as the file has it
	step    int    // blanks of one level
}

func openText(raw []byte, limit int) (*text, error) {
	root, problems := parseDocument("", raw, limit, "")
	if err := problems.Err(); err != nil {
		return nil, err
	}
	t := &text{raw: raw, root: root, limit: limit, newline: "\n", step: 2, starts: []int{0}}
	if bytes.HasPrefix(raw, []byte(bom)) {
		t.starts[0] = len(bom)
	}
	for i, c := range raw {
		if c == '\n' {
			t.starts = append(t.starts, i+1)
		}
	}
	if bytes.Contains(raw, []byte("\r\n")) {
		t.newline = "\r\n"
	}
	t.measure()
	return t, nil
}

// measure takes the file's own indentation from the first mapping below the root.
func (t *text) measure() {
	for i := 1; i < len(t.root.Content); i += 2 {
		if n := t.root.Content[i]; n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && n.Column > 1 {
			t.step = n.Column - 1
			return
		}
	}
}

// finish reads the result again: it must mean what was wanted.
func (t *text) finish(want any) ([]byte, error) {
	root, problems := parseDocument("", t.raw, t.limit, "")
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotEdited, problems[0].Message)
	}
	var got any
	if err := root.Decode(&got); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotEdited, err)
	}
	if !reflect.DeepEqual(normal(got), normal(want)) {
		return nil, fmt.Errorf("%w: its meaning would not be what was asked for", ErrNotEdited)
	}
	return t.raw, nil
}

// normal makes values comparable that were built with those that were read: no list is nil.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		clean := map[string]any{}
		for key, value := range v {
			clean[key] = normal(value)
		}
		return clean
	case []any:
		clean := make([]any, len(v))
		for i := range v {
			clean[i] = normal(v[i])
		}
		return clean
	}
	return v
}

// splice puts insert in the place of raw[from:to].
func (t *text) splice(from, to int, insert string) {
	t.raw = bytes.Join([][]byte{t.raw[:from], []byte(insert), t.raw[to:]}, nil)
}

// offset of a node's first character.
func (t *text) offset(n *yaml.Node) int {
	at := t.starts[min(n.Line, len(t.starts))-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(t.raw[at:])
		at += size
	}
	return at
}

func (t *text) line(i int) string {
	end := len(t.raw)
	if i+1 < len(t.starts) {
		end = t.starts[i+1]
	}
	return strings.TrimRight(string(t.raw[t.starts[i]:end]), "\r\n")
}

// end is the offset after a node that is written within brackets or quotes, or is a plain word; -1 when it is none of these.
func (t *text) end(n *yaml.Node) int {
	from := t.offset(n)
	switch {
	case n.Kind == yaml.ScalarNode && n.Style == 0:
		if to := from + len(n.Value); to <= len(t.raw) && string(t.raw[from:to]) == n.Value {
			return to
		}
		return -1
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return t.quoted(from)
	case n.Style&yaml.FlowStyle != 0:
		return t.closing(from)
	}
	return -1
}

// quoted gives the offset after the quoted text at from.
func (t *text) quoted(from int) int {
	quote := t.raw[from]
	for i := from + 1; i < len(t.raw); i++ {
		switch {
		case quote == '"' && t.raw[i] == '\\':
			i++
		case t.raw[i] != quote:
		case quote == '\'' && i+1 < len(t.raw) && t.raw[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return -1
}

// closing gives the offset after the bracket that closes the one at from.
func (t *text) closing(from int) int {
	depth := 0
	for i := from; i < len(t.raw); i++ {
		switch c := t.raw[i]; c {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"', '\'':
			if before := t.raw[i-1]; strings.IndexByte(" \t\r\n,:[{", before) < 0 {
				continue // within a plain word
			}
			if i = t.quoted(i) - 1; i < 0 {
				return -1
			}
		case '#':
			if before := t.raw[i-1]; before == ' ' || before == '\t' || before == '\n' {
				i += max(bytes.IndexByte(t.raw[i:], '\n'), 0)
			}
		}
	}
	return -1
}

package cli

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A sqlTable is a table as migrations leave it.
type sqlTable struct {
	name    string
	columns []sqlColumn
}

type sqlColumn struct {
	name       string
	definition string
}

func (t *sqlTable) has(column string) bool {
	return slices.ContainsFunc(t.columns, func(c sqlColumn) bool { return c.name == column })
}

func (t *sqlTable) drop(column string) {
	t.columns = slices.DeleteFunc(t.columns, func(c sqlColumn) bool { return c.name == column })
}

// sqlTables are the tables that statements make one after the other. Names of schemas and the case of letters do not matter, and
// what is no CREATE, ALTER or DROP TABLE neither.
type sqlTables []*sqlTable

func (ts sqlTables) find(name string) *sqlTable {
	if i := slices.IndexFunc(ts, func(t *sqlTable) bool { return t.name == name }); i >= 0 {
		return ts[i]
	}
	return nil
}

func tablesOf(sql string) sqlTables {
	var ts sqlTables
	for _, statement := range splitSQL(readSQL(sql), ";") {
		ts = ts.after(statement)
	}
	return ts
}

// after are the tables after one more statement.
func (ts sqlTables) after(s sqlText) sqlTables {
	switch {
	case s.accept("create"):
		for s.accept("global") || s.accept("local") || s.accept("temp") || s.accept("temporary") || s.accept("unlogged") {
		}
		if !s.accept("table") {
			return ts
		}
		s.accept("if", "not", "exists")
		if name := s.name(); name != "" && ts.find(name) == nil {
			return append(ts, &sqlTable{name, s.columns()})
		}
	case s.accept("alter", "table"):
		s.accept("if", "exists")
		s.accept("only")
		if t := ts.find(s.name()); t != nil {
			for _, action := range splitSQL(s, ",") {
				t.alter(action)
			}
		}
	case s.accept("drop", "table"):
		s.accept("if", "exists")
		for _, dropped := range splitSQL(s, ",") {
			name := dropped.name()
			ts = slices.DeleteFunc(ts, func(t *sqlTable) bool { return t.name == name })
		}
	}
	return ts
}

func (t *sqlTable) alter(s sqlText) {
	switch {
	case s.accept("add"):
		if !s.accept("column") && s.constrains() {
			return
		}
		s.accept("if", "not", "exists")
		definition := s.source()
		if name := s.name(); name != "" && !t.has(name) {
			t.columns = append(t.columns, sqlColumn{name, definition})
		}
	case s.accept("drop"):
		if !s.accept("column") && s.constrains() {
			return
		}
		s.accept("if", "exists")
		t.drop(s.name())
	case s.accept("rename", "to"):
		t.name = s.name()
	case s.accept("rename"):
		if !s.accept("column") && s.constrains() {
			return
		}
		from := s.name()
		if s.accept("to") && t.has(from) {
			t.drop(from)
			t.columns = append(t.columns, sqlColumn{s.name(), ""})
		}
	}
}

// sqlText is a piece of SQL without its comments.
type sqlText []sqlToken

type sqlToken struct {
	text string // a name or a keyword in small letters, without quotes; or a character
	raw  string
	kind tokenKind
	gap  bool // space or a comment is before it
}

type tokenKind int

const (
	other  tokenKind = iota // a character, or a string
	word                    // a keyword or a name
	quoted                  // a name in quotes, and so no keyword
)

// accept takes these keywords off the beginning, if it has them all.
func (s *sqlText) accept(keywords ...string) bool {
	if len(*s) < len(keywords) {
		return false
	}
	for i, k := range keywords {
		if t := (*s)[i]; t.kind != word || t.text != k {
			return false
		}
	}
	*s = (*s)[len(keywords):]
	return true
}

// name takes a name off the beginning, of which it gives the last part, or else "".
func (s *sqlText) name() string {
	name := ""
	for len(*s) > 0 && (*s)[0].kind != other {
		name = (*s)[0].text
		*s = (*s)[1:]
		if len(*s) == 0 || (*s)[0].raw != "." {
			break
		}
		*s = (*s)[1:]
	}
	return name
}

// constrains reports whether the definition is of no column.
func (s sqlText) constrains() bool {
	return len(s) > 0 && s[0].kind == word &&
		slices.Contains([]string{"constraint", "primary", "unique", "foreign", "check", "exclude", "like"}, s[0].text)
}

// columns are those in the parentheses that it begins with.
func (s sqlText) columns() []sqlColumn {
	if len(s) == 0 || s[0].raw != "(" {
		return nil
	}
	depth := 0
	end := slices.IndexFunc(s, func(t sqlToken) bool { depth += t.depth(); return depth == 0 })
	if end < 0 {
		return nil
	}
	var columns []sqlColumn
	for _, definition := range splitSQL(s[1:end], ",") {
		if source := definition.source(); !definition.constrains() {
			if name := definition.name(); name != "" {
				columns = append(columns, sqlColumn{name, source})
			}
		}
	}
	return columns
}

// depth is by how much the token goes deeper into parentheses.
func (t sqlToken) depth() int {
	switch t.raw {
	case "(":
		return 1
	case ")":
		return -1
	}
	return 0
}

// source is the text on one line.
func (s sqlText) source() string {
	var b strings.Builder
	for i, t := range s {
		if i > 0 && t.gap {
			b.WriteByte(' ')
		}
		b.WriteString(t.raw)
	}
	return b.String()
}

// splitSQL parts a text at a separator that is in no parentheses.
func splitSQL(s sqlText, separator string) []sqlText {
	var parts []sqlText
	depth, from := 0, 0
	for i, t := range s {
		if depth += t.depth(); depth == 0 && t.raw == separator {
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// bunSplit ends a statement as a semicolon does, though it is a comment.
const bunSplit = "--bun:split"

func readSQL(text string) sqlText {
	var tokens sqlText
	gap := false
	for text != "" {
		n, t := nextSQL(text)
		if t.raw == "" {
			gap = true
		} else {
			t.gap = gap
			tokens = append(tokens, t)
			gap = false
		}
		text = text[n:]
	}
	return tokens
}

// nextSQL is the token that a text begins with, and its length; the token of space or a comment is empty.
func nextSQL(text string) (int, sqlToken) {
	r, size := utf8.DecodeRuneInString(text)
	switch {
	case strings.HasPrefix(text, bunSplit):
		return len(bunSplit), sqlToken{raw: ";"}
	case strings.HasPrefix(text, "--"):
		return through(text, 2, "\n"), sqlToken{}
	case strings.HasPrefix(text, "/*"):
		return sqlComment(text), sqlToken{}
	case unicode.IsSpace(r):
		return size, sqlToken{}
	case r == '\'':
		n := through(text, 1, "'")
		return n, sqlToken{raw: text[:n]}
	case r == '"', r == '`':
		n := through(text, 1, text[:1])
		return n, sqlToken{strings.ToLower(strings.Trim(text[:n], text[:1])), text[:n], quoted, false}
	case r == '$':
		if n := strings.Index(text[1:], "$") + 2; n > 1 && wordLength(text[1:n-1]) == n-2 {
			n = through(text, n, text[:n])
			return n, sqlToken{raw: text[:n]}
		}
	case unicode.IsLetter(r), r == '_':
		n := wordLength(text)
		return n, sqlToken{strings.ToLower(text[:n]), text[:n], word, false}
	}
	return size, sqlToken{raw: text[:size]}
}

func wordLength(text string) int {
	n := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	if n < 0 {
		return len(text)
	}
	return n
}

// through is the length of a text through the end that comes first from an index on, or else its whole length.
func through(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// sqlComment is the length of a comment, which may have others in it.
func sqlComment(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(text[i:], "*/"):
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

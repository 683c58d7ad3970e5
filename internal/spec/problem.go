package spec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file; Line and Column count from 1, and columns count characters.
type Position struct {
	File         string
	Line, Column int
}

// String gives the form that editors and terminals turn into a link: file:line:column.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is something wrong in a declaration: where, what, and what to do about it.
type Problem struct {
	Position
	Message string
	Remedy  string
}

// String gives the position and the message, with the remedy indented on lines of its own.
func (p Problem) String() string {
	text := p.Position.String() + ": " + p.Message
	if p.Remedy == "" {
		return text
	}
	return text + "\n    " + strings.ReplaceAll(p.Remedy, "\n", "\n    ")
}

// MarshalJSON writes the problem flat, for --json.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File    string `json:"file"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
		Message string `json:"message"`
		Remedy  string `json:"remedy,omitempty"`
	}{p.File, p.Line, p.Column, p.Message, p.Remedy})
}

// Problems are all the problems found, in the order of their positions. As an error it prints one problem after the other.
type Problems []Problem

// Error prints every problem.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = problem.String()
	}
	return strings.Join(texts, "\n")
}

// Err gives the problems, sorted, as an error: nil when there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	p.Sort()
	return p
}

// Sort orders the problems by file, line and column, and keeps the order of those at one place.
func (p Problems) Sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Add notes a problem; the message is a format, the remedy is not.
func (p *Problems) Add(at Position, remedy, format string, args ...any) {
	*p = append(*p, Problem{Position: at, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Error is everything that is wrong with a configuration.
type Error struct {
	Issues []Issue
}

// Issue is one thing that is wrong.
type Issue struct {
	// Key is the key, such as http.addr; the variable's name when no key is known; empty for the file as a whole.
	Key string
	// Source is where it was given: a variable's name, file:line:column, "default", or "not set".
	Source string
	// Wrong says what is wrong, Remedy what to do.
	Wrong, Remedy string
}

// String is the issue in one line.
func (i Issue) String() string {
	subject := i.Source
	if i.Key != "" {
		subject = fmt.Sprintf("%s (%s)", i.Key, i.Source)
	}
	text := subject + " " + i.Wrong
	if i.Remedy != "" {
		text += "; " + i.Remedy
	}
	return text
}

// Error lists the issues, one a line.
func (e *Error) Error() string {
	if len(e.Issues) == 1 {
		return "configuration: " + e.Issues[0].String()
	}
	lines := []string{fmt.Sprintf("configuration: %d things are wrong", len(e.Issues))}
	for _, issue := range e.Issues {
		lines = append(lines, "  "+issue.String())
	}
	return strings.Join(lines, "\n")
}

func (e *Error) add(issue *Issue) {
	if issue != nil && !slices.Contains(e.Issues, *issue) {
		e.Issues = append(e.Issues, *issue)
	}
}

func (e *Error) sort() {
	slices.SortStableFunc(e.Issues, func(a, b Issue) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Key, b.Key))
	})
}

// join puts two errors' issues together. An error of another type is a programming mistake and stands alone.
func join(first, second error) error {
	var a, b *Error
	switch {
	case first == nil:
		return second
	case second == nil || !errors.As(first, &a) || !errors.As(second, &b):
		return first
	}
	return &Error{Issues: slices.Concat(a.Issues, b.Issues)}
}

// Validator is implemented by structs, nested ones too, with rules that types cannot express. Decode calls it after
// filling in, when every value has its type.
type Validator interface {
	Validate(c *Check)
}

// Check collects broken rules.
type Check struct {
	source *Source
	prefix string
	found  *Error
}

// Must notes a key of the struct as wrong unless ok: what is wrong with it, and what to do.
func (c *Check) Must(key string, ok bool, wrong, remedy string) {
	if !ok {
		path := join2(c.prefix, key)
		c.found.add(&Issue{Key: path, Source: c.source.Origin(path), Wrong: wrong, Remedy: remedy})
	}
}

// validate asks a struct and those within it.
func validate(v reflect.Value, path string, c *Check) {
	if validator, ok := v.Addr().Interface().(Validator); ok {
		validator.Validate(&Check{source: c.source, prefix: path, found: c.found})
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, squash := fieldName(field)
		if name == "-" || !field.IsExported() || field.Type.Kind() != reflect.Struct || isLeaf(field.Type) {
			continue
		}
		if squash {
			validate(v.Field(i), path, c)
		} else {
			validate(v.Field(i), join2(path, name), c)
		}
	}
}
